// SPDX-License-Identifier: GPL-2.0

//! Entry points: what a module offers under a name, for children to be spawned with from outside.
//!
//! A module that spawns its children itself needs none of this. An entry point is for those that
//! somebody else asks for, as the file `control` does: `spawn NAME entry=POINT`. Such a child
//! belongs to the module that has registered the point, as if it had spawned it itself. The
//! [`Handle`] is with who asked.
//!
//! A point is taken back by dropping its [`Registration`], which waits for a child that is being
//! spawned from it just now. Children that were spawned go on; they are joined when the module
//! goes. So is a registration taken back that the module has forgotten.
//!
//! # Context and locking
//!
//! Everything here is for process context and may sleep. A point is locked while a child is spawned
//! from it, before that child.
#![deny(unsafe_code)]

use super::{generation::Pin, Builder, Context, Handle, Record, NAME_MAX};
use crate::sync::{
    order::{levels, Ordered, Token},
    registry::{Registry, RegistryMutex},
};
use kernel::{
    fmt,
    prelude::*,
    str::CString,
    sync::{new_mutex, Arc, Mutex},
    ThisModule,
};

static POINTS: Registry<levels::Entries, Point> = Registry::new(RegistryMutex::Entries);

/// A line of text: what children take that are spoken to from user space.
pub struct Text(KVec<u8>);

impl Text {
    /// Copies a text.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(text: &str) -> Result<Self> {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(text.as_bytes(), GFP_KERNEL)?;
        Ok(Self(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // It was one.
        core::str::from_utf8(&self.0).unwrap_or("")
    }
}

/// The depth of a mailbox for text, if none is said.
const DEPTH: usize = 16;

/// What a child can be spawned with: the owner's code.
trait Start: Send + Sync {
    /// `depth` is that of its mailbox, if it was said.
    fn start(&self, builder: Builder<'_>, depth: Option<usize>) -> Result<Spawned>;
}

/// A child that was spawned from an entry point.
pub(crate) enum Spawned {
    /// It has no mailbox.
    Deaf(Handle),
    /// It can be spoken to.
    Text(Handle<Text>),
}

impl Spawned {
    /// See [`Handle::record`].
    pub(crate) fn record(&self) -> &Record {
        match self {
            Self::Deaf(handle) => handle.record(),
            Self::Text(handle) => handle.record(),
        }
    }

    /// See [`Handle::stop`].
    pub(crate) fn stop(&self) {
        match self {
            Self::Deaf(handle) => handle.stop(),
            Self::Text(handle) => handle.stop(),
        }
    }

    /// See [`Handle::restart`].
    pub(crate) fn restart(&self) -> Result {
        match self {
            Self::Deaf(handle) => handle.restart(),
            Self::Text(handle) => handle.restart(),
        }
    }

    /// Puts a text into its mailbox, if there is room. Does not wait.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if it takes no text, `EPIPE` if it has ended, `EAGAIN` if there is no room;
    /// `ENOMEM`.
    pub(crate) fn send(&self, text: &str) -> Result {
        let Self::Text(handle) = self else {
            return Err(EOPNOTSUPP);
        };
        let sent = handle.port()?.try_send(Text::new(text)?);
        sent.map_err(|unsent| match unsent.error() {
            // It was started again just now.
            ESTALE => EPIPE,
            error => error,
        })
    }
}

/// The owner, and what is its code.
struct Offer {
    owner: &'static ThisModule,
    start: KBox<dyn Start>,
}

/// An entry point.
#[pin_data]
struct Point {
    name: CString,
    /// The address of the owner's `struct module`, only to be compared.
    owner: usize,
    /// `None` once it was taken back: from then on nothing of the owner is used any more.
    #[pin]
    offer: Ordered<levels::Entry, Mutex<Option<Offer>>>,
}

impl Point {
    /// Takes it back. Waits for a child that is being spawned from it.
    fn take_back(&self) {
        let mut token = Token::outermost();
        POINTS.remove(&mut token, self);
        let offer = self.offer.lock(&mut token).0.take();
        // The owner's code: not under the lock.
        drop(offer);
    }

    fn name(&self) -> &str {
        self.name.to_str().unwrap_or("?")
    }
}

/// Keeps an entry point registered as long as it lives.
///
/// Not to be dropped by what the entry point itself runs.
pub struct Registration {
    point: Arc<Point>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.point.take_back();
    }
}

/// Registers `entry` under `name`, for modules and users that spawn children of module `owner` with
/// it. It is called once in each thread of such a child.
///
/// # Errors
///
/// `EEXIST` if the name is taken; `EINVAL` if it is no name, as that of a child must be, or if
/// `entry` is no code of the owner's; `ENOMEM`.
///
/// # Examples
///
/// ```ignore
/// struct MyModule {
///     _sweep: entry::Registration,
/// }
///
/// let sweep = entry::register(module, c"sweep", |ctx| {
///     while !ctx.should_stop() {
///         ctx.sleep(100);
///     }
///     Ok(())
/// })?;
/// ```
pub fn register<F>(owner: &'static ThisModule, name: &CStr, entry: F) -> Result<Registration>
where
    F: Fn(&mut Context<'_>) -> Result + Send + Sync + 'static,
{
    let code = <Plain<F> as Start>::start as fn(&Plain<F>, Builder<'_>, Option<usize>) -> _;
    let plain = Plain(Arc::new(entry, GFP_KERNEL)?);
    register_offer(owner, name, KBox::new(plain, GFP_KERNEL)?, code as usize)
}

/// Registers an entry point whose children take text. The first thread receives it:
/// [`Context::recv`].
///
/// # Errors
///
/// As [`register`].
pub fn register_for_text<F>(
    owner: &'static ThisModule,
    name: &CStr,
    entry: F,
) -> Result<Registration>
where
    F: Fn(&mut Context<'_, Text>) -> Result + Send + Sync + 'static,
{
    let code = <Spoken<F> as Start>::start as fn(&Spoken<F>, Builder<'_>, Option<usize>) -> _;
    let spoken = Spoken(Arc::new(entry, GFP_KERNEL)?);
    register_offer(owner, name, KBox::new(spoken, GFP_KERNEL)?, code as usize)
}

struct Plain<F>(Arc<F>);

impl<F> Start for Plain<F>
where
    F: Fn(&mut Context<'_>) -> Result + Send + Sync + 'static,
{
    fn start(&self, builder: Builder<'_>, depth: Option<usize>) -> Result<Spawned> {
        if depth.is_some() {
            return Err(EOPNOTSUPP);
        }
        let entry = self.0.clone();
        builder.spawn(move |ctx| entry(ctx)).map(Spawned::Deaf)
    }
}

struct Spoken<F>(Arc<F>);

impl<F> Start for Spoken<F>
where
    F: Fn(&mut Context<'_, Text>) -> Result + Send + Sync + 'static,
{
    fn start(&self, builder: Builder<'_>, depth: Option<usize>) -> Result<Spawned> {
        let entry = self.0.clone();
        let builder = builder.mailbox::<Text>(depth.unwrap_or(DEPTH));
        builder.spawn(move |ctx| entry(ctx)).map(Spawned::Text)
    }
}

fn register_offer(
    owner: &'static ThisModule,
    name: &CStr,
    start: KBox<dyn Start>,
    code: usize,
) -> Result<Registration> {
    if !crate::ffi::owns(owner, code) {
        let owner = crate::ffi::module_name(owner);
        pr_err!("owner of an entry point: the module of its code, which {owner} is not\n");
        return Err(EINVAL);
    }
    if !super::is_name(name.to_bytes()) {
        pr_err!("name of an entry point: 1 to {NAME_MAX} letters, digits or -_.:/\n");
        return Err(EINVAL);
    }
    let address = owner.as_ptr().addr();
    let offer = Some(Offer { owner, start });
    let point = Arc::pin_init(
        try_pin_init!(Point {
            name: CString::try_from(name)?,
            owner: address,
            offer <- Ordered::new(new_mutex!(offer, "childkernel_entry")),
        }),
        GFP_KERNEL,
    )?;
    POINTS.with(&mut Token::outermost(), |points| {
        if points.iter().any(|other| *other.name == *name) {
            return Err(EEXIST);
        }
        Ok(points.push(point.clone(), GFP_KERNEL)?)
    })?;
    Ok(Registration { point })
}

/// Spawns a child from the point with this name. `describe` says what else there is to say, once it
/// is known whose it will be.
///
/// # Errors
///
/// `ENOENT` if there is no such point, `ENODEV` if its owner is just going, `EOPNOTSUPP` if there is
/// to be a mailbox where no text is taken; and as [`Builder::spawn`].
pub(crate) fn spawn<'a>(
    name: &str,
    depth: Option<usize>,
    describe: impl FnOnce(&'static ThisModule) -> Builder<'a>,
) -> Result<Spawned> {
    let mut token = Token::outermost();
    let found = POINTS.with(&mut token, |points| {
        points.iter().find(|point| point.name() == name).cloned()
    });
    let point = found.ok_or(ENOENT)?;
    let (offer, _token) = point.offer.lock(&mut token);
    let offer = offer.as_ref().ok_or(ENOENT)?;
    // Whoever has begun to go does not want to begin anything.
    let _stays = Pin::new(offer.owner).ok_or(ENODEV)?;
    offer.start.start(describe(offer.owner), depth)
}

/// The names of all points, for the log.
pub(crate) struct Names(KVec<Arc<Point>>);

impl Names {
    /// Those of now. Not when they are shown: the log does that with interrupts off, where the list's
    /// lock can not be waited for.
    pub(crate) fn get() -> Result<Self> {
        POINTS
            .collect(&mut Token::outermost(), |point| Some(point.clone()))
            .map(Self)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("those that modules register, and now there is none");
        }
        for (i, point) in self.0.iter().enumerate() {
            f.write_fmt(fmt!("{}{}", if i > 0 { ", " } else { "" }, point.name()))?;
        }
        Ok(())
    }
}

/// Takes back what a module that goes has forgotten to, and says whether there was anything.
pub(super) fn owner_goes(owner: usize) -> bool {
    let mut any = false;
    loop {
        let forgotten = POINTS.with(&mut Token::outermost(), |points| {
            points.iter().find(|point| point.owner == owner).cloned()
        });
        let Some(point) = forgotten else { return any };
        any = true;
        pr_warn!("entry point {} goes with its module\n", point.name());
        point.take_back();
    }
}
