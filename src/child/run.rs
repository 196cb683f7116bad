// SPDX-License-Identifier: GPL-2.0

//! What a child runs: its owner's code, behind two traits.
//!
//! A [`Program`] is there as long as the child; each generation is one [`Run`] of it, with a
//! mailbox and a state of its own. Whatever types the owner uses stop here.
#![deny(unsafe_code)]

use super::{
    context::{Context, Slot},
    life::Life,
    mailbox::{Mailbox, Receiver, Sender},
    pulse::Pulse,
    record::Record,
};
use crate::sync::order::{levels, Ordered, Token};
use kernel::{
    prelude::*,
    sync::{Arc, Mutex, SetOnce},
};

/// What every thread of a generation has, whatever its mailbox takes.
#[derive(Clone, Copy)]
pub(super) struct Core<'a> {
    pub(super) record: &'a Record,
    pub(super) slot: &'a Slot,
    pub(super) life: &'a Life,
    pub(super) pulse: &'a Pulse,
    pub(super) index: usize,
}

impl<'a> Core<'a> {
    pub(super) fn new(record: &'a Record, life: &'a Life, index: usize) -> Option<Self> {
        Some(Self {
            record,
            slot: record.slots.get(index)?,
            life,
            pulse: life.pulse(index)?,
            index,
        })
    }
}

/// What is known of a mailbox without knowing its messages.
#[derive(Clone, Copy, Default)]
pub(super) struct MailCounts {
    pub(super) depth: usize,
    pub(super) len: usize,
    pub(super) full: u64,
    pub(super) empty: u64,
    pub(super) wakes: u64,
}

/// What a child runs, generation after generation.
pub(super) trait Program: Send + Sync {
    /// Makes ready for the next generation. Runs none of the owner's own code.
    fn begin(&self) -> Result<Arc<dyn Run>>;
}

/// What one generation runs.
pub(super) trait Run: Send + Sync {
    /// Lets others find the mailbox: there is something now that will drop what they send.
    fn publish(&self, token: &mut Token<'_, levels::Child>, number: u32);

    /// Runs in each thread.
    fn call(&self, core: Core<'_>) -> Result;

    /// Takes no message any more, and fails what waits for an answer. Never blocks; any number of
    /// times.
    fn abort(&self);

    /// The mailbox in numbers, if there is one.
    fn mail(&self) -> Option<MailCounts>;
}

/// The present generation and the way to its mailbox; none before the first.
type Present<T> = Option<(u32, Sender<T>)>;

/// Where the mailbox of the present generation is. Shared by a child and its handle.
#[pin_data]
pub(super) struct Post<T: Send + 'static> {
    #[pin]
    current: Ordered<levels::Address, Mutex<Present<T>>>,
}

impl<T: Send + 'static> Post<T> {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            current <- Ordered::new(Mutex::new(
                None,
                crate::lock_name!("childkernel_post"),
                kernel::static_lock_class!(),
            )),
        })
    }

    pub(super) fn current(&self) -> Present<T> {
        let mut token = Token::outermost();
        let (current, _token) = self.current.lock(&mut token);
        current.as_ref().map(|(number, to)| (*number, to.clone()))
    }

    fn replace(&self, token: &mut Token<'_, levels::Child>, number: u32, sender: Sender<T>) {
        let (mut current, _token) = self.current.lock(token);
        let old = current.replace((number, sender));
        drop(current);
        // It may be the last of its mailbox, but has not the messages in it: these are its
        // receiver's.
        drop(old);
    }
}

/// The owner's functions: one that makes what the threads of a generation share, and their entry.
pub(super) struct Functions<M, F> {
    pub(super) make: M,
    pub(super) entry: F,
}

/// The program of a child whose mailbox takes `T` and whose threads share an `S`.
pub(super) struct Typed<T: Send + 'static, M, F> {
    functions: Arc<Functions<M, F>>,
    post: Arc<Post<T>>,
    depth: usize,
}

impl<T: Send + 'static, M, F> Typed<T, M, F> {
    pub(super) fn new(
        functions: Functions<M, F>,
        post: Arc<Post<T>>,
        depth: usize,
    ) -> Result<Self> {
        Ok(Self {
            functions: Arc::new(functions, GFP_KERNEL)?,
            post,
            depth,
        })
    }
}

impl<T, S, M, F> Program for Typed<T, M, F>
where
    T: Send + 'static,
    S: Send + Sync + 'static,
    M: Fn() -> Result<S> + Send + Sync + 'static,
    F: Fn(&mut Context<'_, T>, &S) -> Result + Send + Sync + 'static,
{
    fn begin(&self) -> Result<Arc<dyn Run>> {
        let (sender, receiver) = match self.depth {
            0 => (None, None),
            depth => {
                let (sender, receiver) = Mailbox::<T>::open(depth)?;
                (Some(sender), Some(receiver))
            }
        };
        let run: Arc<TypedRun<T, S, M, F>> = Arc::pin_init(
            pin_init!(TypedRun {
                functions: self.functions.clone(),
                post: self.post.clone(),
                state: SetOnce::new(),
                sender,
                receiver <- Mutex::new(
                    receiver,
                    crate::lock_name!("childkernel_receiver"),
                    kernel::static_lock_class!(),
                ),
            }),
            GFP_KERNEL,
        )?;
        Ok(run)
    }
}

/// One generation of a [`Typed`].
#[pin_data]
pub(super) struct TypedRun<T: Send + 'static, S, M, F> {
    functions: Arc<Functions<M, F>>,
    post: Arc<Post<T>>,
    state: SetOnce<S>,
    sender: Option<Sender<T>>,
    /// Thread 0 has it as long as it lives. If it dies, nobody takes it any more, but it is still
    /// here to be dropped.
    #[pin]
    receiver: Mutex<Option<Receiver<T>>>,
}

impl<T, S, M, F> TypedRun<T, S, M, F>
where
    T: Send + 'static,
    S: Send + Sync + 'static,
    M: Fn() -> Result<S> + Send + Sync + 'static,
    F: Fn(&mut Context<'_, T>, &S) -> Result + Send + Sync + 'static,
{
    /// Makes, in thread 0, what all share; in the others waits for it.
    ///
    /// `None` if there is none and the thread is to end.
    fn state(&self, core: &Core<'_>) -> Result<Option<&S>> {
        if core.index == 0 {
            let made = (self.functions.make)();
            let made = made.map(|state| self.state.populate(state));
            core.life.ready.complete_all();
            made?;
        } else if core
            .pulse
            .idle(|| core.life.ready.wait_interruptible())
            .is_err()
        {
            // Stopped before it began.
            return Ok(None);
        }
        Ok(self.state.as_ref())
    }
}

impl<T, S, M, F> Run for TypedRun<T, S, M, F>
where
    T: Send + 'static,
    S: Send + Sync + 'static,
    M: Fn() -> Result<S> + Send + Sync + 'static,
    F: Fn(&mut Context<'_, T>, &S) -> Result + Send + Sync + 'static,
{
    fn publish(&self, token: &mut Token<'_, levels::Child>, number: u32) {
        if let Some(sender) = &self.sender {
            self.post.replace(token, number, sender.clone());
        }
    }

    fn call(&self, core: Core<'_>) -> Result {
        let Some(state) = self.state(&core)? else {
            return Ok(());
        };
        if core.index != 0 {
            return (self.functions.entry)(&mut Context::new(core, None), state);
        }
        let mut receiver = self.receiver.try_lock();
        let receiver = receiver.as_deref_mut().and_then(Option::as_mut);
        (self.functions.entry)(&mut Context::new(core, receiver), state)
    }

    fn abort(&self) {
        if let Some(sender) = &self.sender {
            sender.abort();
        }
    }

    fn mail(&self) -> Option<MailCounts> {
        self.sender.as_ref().map(|mailbox| MailCounts {
            depth: mailbox.depth(),
            len: mailbox.len(),
            full: mailbox.full(),
            empty: mailbox.empty(),
            wakes: mailbox.wakes().unwrap_or(0),
        })
    }
}
