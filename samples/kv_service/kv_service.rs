// SPDX-License-Identifier: GPL-2.0

//! A key-value store behind a device, whose parser may crash.
//!
//! ```sh
//! echo 'SET colour blue' > /dev/ckv
//! echo 'GET colour' > /dev/ckv; cat /dev/ckv
//! echo 'DEL colour' > /dev/ckv
//! ```
//!
//! What comes from outside is taken apart by a child kernel, as that is where things go wrong: the
//! writer calls it through its mailbox, and waits for the answer. If the child dies of a record,
//! the writer of that record gets an error, and everybody else the child's next generation.
//!
//! # Who owns what
//!
//! The table belongs to the module. The child never sees it: it answers with a command that owns
//! its key and its value, and the writer, back in its own context, carries that out. So the lock of
//! the table is never held by a thread that may die with it, and the child needs no lock at all. A
//! table that the child changed by itself would have to be in its arena, and be gone with it; one
//! under a lock that both take would stay locked for ever.
//!
//! What follows: a write that has succeeded is in the table, whatever becomes of the child. One
//! that has failed is not, for whatever reason, so it may be written again.
//!
//! # Records
//!
//! One write is one record, with or without a newline at its end. A key has no spaces, a value may;
//! control characters are in neither. There are at most [`KEYS_MAX`] keys of [`KEY_MAX`] bytes,
//! with values of [`VALUE_MAX`]; each writer has one record under way, and [`DEPTH`] of them fit
//! into the mailbox before writers wait for room.
//!
//! Reading gives the answer to the last `GET` through the same file. A file that has not written
//! any has the last answer of all when it was opened, which is what a shell needs, with its two
//! files; programs that run at the same time should keep theirs open. The device is for root alone.
//!
//! | errno | when |
//! |---|---|
//! | `EINVAL` | this is no record |
//! | `EMSGSIZE` | the record, its key or its value is too long |
//! | `ENOENT` | there is no such key |
//! | `ENOSPC` | there are [`KEYS_MAX`] keys already |
//! | `EIO` | the child died of this record, or is not started again |
//! | `ETIMEDOUT` | no generation of the child has answered in [`PATIENCE_MS`] |
//! | `ERESTARTSYS` | a signal came; the system call is restarted, or `EINTR` |
//! | `ENOMEM` | |
#![deny(clippy::indexing_slicing, unsafe_code)]

use childkernel::{
    child::{Builder, Call, Context, Handle, Restart, State},
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, rcu, rcu_pointer, Mutex, Rcu,
    },
};
use kernel::{
    current,
    fs::{File, Kiocb},
    iov::{IovIterDest, IovIterSource},
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Instant, Monotonic, Msecs},
};

module! {
    type: KvService,
    name: "kv_service",
    authors: ["The childkernel developers"],
    description: "A key-value store whose parser is a child kernel",
    license: "GPL",
}

/// The longest key, in bytes.
const KEY_MAX: usize = 32;
/// The longest value.
const VALUE_MAX: usize = 256;
/// The most keys.
const KEYS_MAX: usize = 128;
/// The longest record: `SET`, a key and a value.
const RECORD_MAX: usize = 3 + 1 + KEY_MAX + 1 + VALUE_MAX;
/// The depth of the mailbox.
const DEPTH: usize = 16;
/// How long a writer waits for an answer, be it from generations to come.
const PATIENCE_MS: Msecs = 5_000;
/// How often it looks for the next generation.
const PAUSE_MS: i64 = 10;

type Key = KVec<u8>;
/// With a newline at its end, ready to be read.
type Value = Arc<KVec<u8>>;

/// What a record says.
enum Command {
    Set(Key, Value),
    Get(Key),
    Del(Key),
}

// --- the child --------------------------------------------------------------

/// A record, shared by its writer and the child: a writer may have to ask again.
struct Record {
    text: KVec<u8>,
    /// A generation of the child has begun with it.
    begun: Atomic<bool>,
}

type Question = Call<Arc<Record>, Result<Command>>;

/// What the child does, generation after generation.
fn work(ctx: &mut Context<'_, Question>) -> Result {
    while !ctx.should_stop() {
        let question = ctx.recv()?;
        // If this is the last that is heard of it, then this record is why.
        question.request().begun.store(true, Relaxed);
        let command = parse(&question.request().text);
        ctx.add_ops(1);
        // Nobody may wait for it any more: then it is dropped here.
        let _ = question.reply(command);
    }
    Ok(())
}

fn parse(text: &[u8]) -> Result<Command> {
    if text.iter().any(u8::is_ascii_control) {
        return Err(EINVAL);
    }
    let is_space = |b: &u8| *b == b' ';
    let verb = text.split(is_space).next().unwrap_or(&[]);
    if !matches!(verb, b"SET" | b"GET" | b"DEL") {
        return Err(EINVAL);
    }
    let mut operands = after(text, verb)?.splitn(2, is_space);
    let key = operands.next().unwrap_or(&[]);
    if key.is_empty() {
        return Err(EINVAL);
    }
    if key.len() > KEY_MAX {
        return Err(EMSGSIZE);
    }
    let mut owned = KVec::with_capacity(key.len(), GFP_KERNEL)?;
    owned.extend_from_slice(key, GFP_KERNEL)?;
    match (verb, operands.next()) {
        (b"SET", Some(value)) if !value.is_empty() => Ok(Command::Set(owned, to_value(value)?)),
        (b"GET", None) => Ok(Command::Get(owned)),
        (b"DEL", None) => Ok(Command::Del(owned)),
        _ => Err(EINVAL),
    }
}

fn to_value(text: &[u8]) -> Result<Value> {
    if text.len() > VALUE_MAX {
        return Err(EMSGSIZE);
    }
    let mut value = KVec::with_capacity(text.len() + 1, GFP_KERNEL)?;
    value.extend_from_slice(text, GFP_KERNEL)?;
    value.push(b'\n', GFP_KERNEL)?;
    Ok(Arc::new(value, GFP_KERNEL)?)
}

/// What follows the verb and a space.
#[cfg(not(CONFIG_CHILDKERNEL_FAULTS))]
fn after<'a>(text: &'a [u8], verb: &[u8]) -> Result<&'a [u8]> {
    text.get(verb.len() + 1..).ok_or(EINVAL)
}

/// The same with a bug, left in on purpose, in builds that are made to see things fail: nobody has
/// thought of a verb and then nothing, not even a space. `echo GET > /dev/ckv` is an oops.
#[cfg(CONFIG_CHILDKERNEL_FAULTS)]
#[allow(clippy::indexing_slicing, reason = "this is the bug")]
fn after<'a>(text: &'a [u8], verb: &[u8]) -> Result<&'a [u8]> {
    Ok(&text[verb.len() + 1..])
}

// --- its parent -------------------------------------------------------------

/// The table, and the child that is asked what to do with it.
#[pin_data]
struct Service {
    worker: Handle<Question>,
    #[pin]
    table: Mutex<KVec<(Key, Value)>>,
    /// The last answer of all.
    #[pin]
    last: Mutex<Option<Value>>,
}

impl Service {
    fn new(module: &'static ThisModule) -> Result<Arc<Self>> {
        let worker = Builder::new(module, c"ckv")
            .workload(c"kv")
            .mailbox::<Question>(DEPTH)
            .restart(Restart::on_crash().limit(64, 60_000).backoff(10, 200))
            .spawn(work)?;
        Arc::pin_init(
            pin_init!(Self {
                worker,
                table <- new_mutex!(KVec::new(), "kv_table"),
                last <- new_mutex!(None, "kv_last"),
            }),
            GFP_KERNEL,
        )
    }

    /// Has the child say what the record means.
    fn ask(&self, text: KVec<u8>) -> Result<Command> {
        let began = Instant::<Monotonic>::now();
        let record = Arc::new(
            Record {
                text,
                begun: Atomic::new(false),
            },
            GFP_KERNEL,
        )?;
        loop {
            let waited = Msecs::try_from(began.elapsed().as_millis()).unwrap_or(Msecs::MAX);
            let left = PATIENCE_MS.saturating_sub(waited);
            if left == 0 {
                return Err(ETIMEDOUT);
            }
            let limit = Context::jiffies(left);
            let port = self.worker.port();
            match port.and_then(|port| port.call_timeout(record.clone(), limit)) {
                // That generation has ended, or none has begun yet.
                Err(error) if error == EPIPE || error == ESTALE => {}
                answer => return answer?,
            }
            // Relaxed: who says that there is no answer has seen the thread's end. It is not asked
            // again, as it would take the next generation with it.
            if record.begun.load(Relaxed) || self.worker.record().state() == State::Failed {
                return Err(EIO);
            }
            if current!().signal_pending() {
                return Err(ERESTARTSYS);
            }
            fsleep(Delta::from_millis(PAUSE_MS));
        }
    }

    /// Does what the record says. Called by its writer, never by the child.
    fn carry_out(&self, command: Command) -> Result<Option<Value>> {
        let mut table = self.table.lock();
        match command {
            Command::Set(key, value) => {
                if let Some((_, old)) = table.iter_mut().find(|(k, _)| *k == key) {
                    *old = value;
                } else if table.len() < KEYS_MAX {
                    table.push((key, value), GFP_KERNEL)?;
                } else {
                    return Err(ENOSPC);
                }
                Ok(None)
            }
            Command::Get(key) => {
                let found = table.iter().find(|(k, _)| *k == key);
                let answer = found.map(|(_, value)| value.clone());
                drop(table);
                self.last.lock().clone_from(&answer);
                answer.ok_or(ENOENT).map(Some)
            }
            Command::Del(key) => {
                let at = table.iter().position(|(k, _)| *k == key).ok_or(ENOENT)?;
                table.remove(at).map_err(|_| ENOENT)?;
                Ok(None)
            }
        }
    }
}

// --- the device -------------------------------------------------------------

/// Where `open()` finds the service: it is given nothing but the device.
static SERVICE: Rcu<Arc<Service>> = Rcu::empty();

/// The service, as long as this lives.
struct Published(());

impl Published {
    fn new(module: &'static ThisModule) -> Result<Self> {
        let node = rcu_pointer::Node::new(Service::new(module)?, GFP_KERNEL)?;
        // Nothing was there before.
        let _ = SERVICE.replace(node);
        Ok(Self(()))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Some(service) = SERVICE.take() {
            let record = service.worker.record();
            let (id, ops, crashes) = (record.id(), record.ops(), record.crashes());
            pr_info!("child {id}: {ops} records, {crashes} crashes\n");
            // No file is open any more, so this is the last reference: the child is joined.
            service.synchronize();
        }
    }
}

/// An open file.
#[pin_data]
struct KvFile {
    service: Arc<Service>,
    #[pin]
    answer: Mutex<Option<Value>>,
}

#[vtable]
impl MiscDevice for KvFile {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Pin<KBox<Self>>> {
        let service = SERVICE.read(&rcu::read_lock()).cloned().ok_or(ENODEV)?;
        let answer = service.last.lock().clone();
        KBox::pin_init(
            pin_init!(Self {
                service,
                answer <- new_mutex!(answer, "kv_answer"),
            }),
            GFP_KERNEL,
        )
    }

    fn write_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let file = kiocb.file();
        let len = iov.len();
        if len > RECORD_MAX + 1 {
            return Err(EMSGSIZE);
        }
        let mut text = KVec::new();
        if iov.copy_from_iter_vec(&mut text, GFP_KERNEL)? < len {
            return Err(EFAULT);
        }
        if text.last() == Some(&b'\n') {
            text.pop();
        }
        let command = file.service.ask(text)?;
        let is_get = matches!(command, Command::Get(_));
        let answer = file.service.carry_out(command);
        if is_get {
            *file.answer.lock() = answer.as_ref().ok().cloned().flatten();
            *kiocb.ki_pos_mut() = 0;
        }
        answer.map(|_| len)
    }

    fn read_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let answer = kiocb.file().answer.lock().clone();
        let text = answer.as_ref().map_or(&[][..], |value| value.as_slice());
        iov.simple_read_from_buffer(kiocb.ki_pos_mut(), text)
    }
}

#[pin_data]
struct KvService {
    // First: it goes before what its files use.
    #[pin]
    _device: MiscDeviceRegistration<KvFile>,
    _service: Published,
}

impl kernel::InPlaceModule for KvService {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _service: Published::new(module)?,
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"ckv" }),
        })
    }
}
