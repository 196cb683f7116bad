// SPDX-License-Identifier: GPL-2.0

//! Entry points: what holds when they are registered, and those that `control.sh` spawns from.
//!
//! `echo` keeps what it is sent, `silent` takes text but never looks, `idle` sleeps, `fails` returns
//! an error, `ends` returns without one. `stubborn` does not stop before `release` is written to the
//! file `entries`, which shows what was kept until `clear`; `forget` leaves an entry point behind.

use crate::{lose::lose, MODULE};
use childkernel::{
    child::{
        entry::{register, register_for_text, Registration, Text},
        Context, Nothing,
    },
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, Mutex,
    },
};
use kernel::{
    fmt,
    prelude::*,
    str::CString,
    sync::Arc,
    time::{delay::fsleep, Delta},
    uaccess::UserSliceReader,
};

cases!(child_entries:
    entries_are_taken_once,
    entries_have_names,
);

fn nothing(_: &mut Context<'_>) -> Result {
    Ok(())
}

fn nothing_for_text(_: &mut Context<'_, Text>) -> Result {
    Ok(())
}

/// A name is taken until it is given back.
fn entries_are_taken_once() -> Result {
    let first = register(&MODULE, c"taken", nothing)?;
    ensure!(register(&MODULE, c"taken", nothing).err() == Some(EEXIST));
    ensure!(register_for_text(&MODULE, c"taken", nothing_for_text).err() == Some(EEXIST));
    let other = register_for_text(&MODULE, c"take", nothing_for_text)?;
    drop(first);
    let again = register(&MODULE, c"taken", nothing)?;
    ensure!(register(&MODULE, c"take", nothing).err() == Some(EEXIST));
    drop(other);
    drop(again);
    Ok(())
}

fn entries_have_names() -> Result {
    let refused = |name| register(&MODULE, name, nothing).err() == Some(EINVAL);
    ensure!(refused(c""));
    ensure!(refused(c"two words"));
    ensure!(refused(c"line\n"));
    ensure!(refused(c"a=b"));
    ensure!(refused(c"0123456789abcdef0123456789abcdef"));
    drop(register(
        &MODULE,
        c"Aa0-_.:/89abcdef0123456789abcde",
        nothing,
    )?);
    Ok(())
}

/// What the entry points and the file share.
#[pin_data]
pub(crate) struct Shared {
    /// The lines that were heard, each after the ID of its child.
    #[pin]
    heard: Mutex<KVec<u8>>,
    release: Atomic<bool>,
}

fn idle<T: Send>(ctx: &mut Context<'_, T>) -> Result {
    while !ctx.should_stop() {
        ctx.add_ops(1);
        ctx.sleep(3_600_000);
    }
    Ok(())
}

/// Keeps what it hears, with its own number before each line.
fn echo(shared: &Shared, ctx: &mut Context<'_, Text>) -> Result {
    if ctx.index() != 0 {
        return idle(ctx);
    }
    while !ctx.should_stop() {
        match ctx.recv() {
            Ok(text) => {
                let line = CString::try_from_fmt(fmt!("{} {}\n", ctx.id(), text.as_str()))?;
                let mut heard = shared.heard.lock();
                heard.extend_from_slice(line.to_bytes(), GFP_KERNEL)?;
                ctx.add_ops(1);
            }
            Err(ERESTARTSYS) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Registers those that stay as long as the module.
pub(crate) fn register_all() -> Result<(KVec<Registration>, Arc<Shared>)> {
    let shared = Arc::pin_init(
        pin_init!(Shared {
            heard <- new_mutex!(KVec::new(), "child_test_heard"),
            release: Atomic::new(false),
        }),
        GFP_KERNEL,
    )?;
    let stubborn = {
        let shared = shared.clone();
        move |ctx: &mut Context<'_>| {
            // Before this a stop finds nobody to be stubborn.
            ctx.add_ops(1);
            while !ctx.should_stop() {
                ctx.sleep(3_600_000);
            }
            // Not for ever, in case that nobody comes.
            for _ in 0..6000 {
                if shared.release.load(Relaxed) {
                    break;
                }
                fsleep(Delta::from_millis(5));
            }
            Ok(())
        }
    };
    let listening = shared.clone();
    let mut all = KVec::new();
    for registration in [
        register(&MODULE, c"idle", idle::<Nothing>)?,
        register(&MODULE, c"fails", |_| Err(EIO))?,
        register(&MODULE, c"ends", nothing)?,
        register(&MODULE, c"stubborn", stubborn)?,
        register_for_text(&MODULE, c"echo", move |ctx| echo(&listening, ctx))?,
        register_for_text(&MODULE, c"silent", idle)?,
    ] {
        all.push(registration, GFP_KERNEL)?;
    }
    Ok((all, shared))
}

/// What is read from the file `entries`.
pub(crate) fn show(shared: &Arc<Shared>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(core::str::from_utf8(&shared.heard.lock()).unwrap_or("?\n"))
}

/// What is written to it.
pub(crate) fn act(shared: &Arc<Shared>, input: &mut UserSliceReader) -> Result {
    let mut word = [0; 16];
    let word = word.get_mut(..input.len()).ok_or(EINVAL)?;
    input.read_slice(word)?;
    match word.trim_ascii() {
        b"hold" => shared.release.store(false, Relaxed),
        b"release" => shared.release.store(true, Relaxed),
        b"clear" => *shared.heard.lock() = KVec::new(),
        b"forget" => lose(register(&MODULE, c"forgotten", idle::<Nothing>)?)?,
        _ => return Err(EINVAL),
    }
    Ok(())
}
