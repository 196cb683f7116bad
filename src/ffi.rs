// SPDX-License-Identifier: GPL-2.0

//! The only door to C: the functions of `shim.h`, and what little the rest of the crate needs of C
//! beside locks and threads, behind safe functions.
//!
//! Types and ordinary C functions come from [`kernel::bindings`]; what is a macro or an inline
//! function in C is a function of the shim.
//!
//! C header: `src/shim.h`

use kernel::{bindings, prelude::*, types::Opaque, ThisModule};

pub(crate) mod branch;
pub(crate) mod debugfs;

#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    unreachable_pub,
    unused_imports
)]
// Without them, nobody looks at the keys.
#[cfg_attr(not(CONFIG_JUMP_LABEL), allow(dead_code))]
mod raw {
    include!(env!("CHILDKERNEL_BINDINGS"));
}
pub(crate) use raw::*;

/// As [`kernel::error::to_result`], which is a call, and here none where there is no error.
#[inline]
pub(crate) fn to_result(ret: c_int) -> Result {
    if ret == 0 {
        Ok(())
    } else {
        kernel::error::to_result(ret)
    }
}

/// Turns a C string that lives as long as the module into a byte slice.
///
/// # Safety
///
/// `ptr` must point to a NUL-terminated string that is neither changed nor freed while the
/// returned reference lives.
unsafe fn c_bytes<'a>(ptr: *const c_char) -> &'a [u8] {
    // SAFETY: By the safety requirements of this function.
    unsafe { CStr::from_char_ptr(ptr) }.to_bytes()
}

/// The release string of the running kernel, as `uname -r` prints it.
pub(crate) fn uts_release() -> &'static str {
    // SAFETY: `init_utsname()->release` is set at build time, NUL-terminated and never changes.
    let bytes = unsafe { c_bytes(childkernel_uts_release()) };
    core::str::from_utf8(bytes).unwrap_or("unknown")
}

/// The name of `module`, or `kernel` for code that is built in.
pub(crate) fn module_name(module: &'static ThisModule) -> &'static str {
    // SAFETY: `ThisModule` holds the module's own pointer, or null when built in; the shim takes
    // both. The name lives as long as the module, as does `module`.
    let bytes = unsafe { c_bytes(childkernel_module_name(module.as_ptr())) };
    core::str::from_utf8(bytes).unwrap_or("?")
}

/// Whether the code at `addr` belongs to `module`.
pub(crate) fn owns(module: &'static ThisModule, addr: usize) -> bool {
    // SAFETY: `ThisModule` holds the module's own pointer, or null when built in; the shim takes
    // both, and any address.
    unsafe { childkernel_owns(module.as_ptr(), addr as c_ulong) }
}

/// What the parameters of the module have in common, and those that are strings, which the kernel
/// crate's `module!` cannot declare.
///
/// They are set before the module's init runs and read-only afterwards.
pub(crate) mod param {
    use super::*;

    /// Checks a number.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid.
    pub(crate) fn in_range(name: &str, value: i64, min: i64, max: i64) -> Result<i64> {
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            pr_err!("{name}={value}: valid are {min} to {max}\n");
            Err(EINVAL)
        }
    }

    /// What is not printable ASCII is none of the valid words either, and is not for the log.
    ///
    /// Of a long one the log shows the first 64 characters (`{word:.64}`): of a line it keeps no
    /// more than about a thousand, and what is valid stands at its end.
    fn text(bytes: &[u8]) -> &str {
        let printable = |b: &u8| *b == b' ' || b.is_ascii_graphic();
        core::str::from_utf8(bytes)
            .ok()
            .filter(|_| bytes.iter().all(printable))
            .unwrap_or("?")
    }

    macro_rules! string_param {
        ($(#[$doc:meta])* $name:ident, $get:ident) => {
            $(#[$doc])*
            pub(crate) fn $name() -> &'static str {
                // SAFETY: A `charp` parameter that is not writable keeps its string until the
                // module is gone, and its default is a string literal.
                let bytes = unsafe { c_bytes($get()) };
                text(bytes)
            }
        };
    }

    string_param!(
        /// The list of CPUs.
        cpus, childkernel_param_cpus
    );
    string_param!(
        /// The load to run.
        workload, childkernel_param_workload
    );
    string_param!(
        /// The primitive of the load.
        primitive, childkernel_param_primitive
    );
    string_param!(
        /// How many locks a table has.
        granularity, childkernel_param_granularity
    );
    string_param!(
        /// The mode of the lock statistics.
        stats, childkernel_param_stats
    );
    string_param!(
        /// The broken twin; always empty unless built with `CONFIG_CHILDKERNEL_TWINS`.
        twin, childkernel_param_twin
    );
}

/// Lets the tracepoint `childkernel:child_state` see a transition.
pub(crate) fn trace_child_state(
    id: u64,
    generation: u32,
    name: &CStr,
    from: &CStr,
    to: &CStr,
    error: i32,
) {
    // SAFETY: The strings are NUL-terminated; they are copied if anybody traces.
    unsafe {
        childkernel_trace_child_state(
            id,
            generation,
            name.as_char_ptr(),
            from.as_char_ptr(),
            to.as_char_ptr(),
            error,
        )
    };
}

/// Sends a uevent that tells how a generation of a child has ended. Nothing where the library is
/// built in: no directory in sysfs is its own then.
///
/// Context: process, may sleep.
pub(crate) fn uevent(id: u64, generation: u32, name: &CStr, state: &CStr, end: &CStr, code: i32) {
    // SAFETY: The strings are NUL-terminated; they are copied.
    unsafe {
        childkernel_uevent(
            id,
            generation,
            name.as_char_ptr(),
            state.as_char_ptr(),
            end.as_char_ptr(),
            code,
        )
    };
}

/// Whether `cpu` exists and is online.
pub(crate) fn cpu_online(cpu: u32) -> bool {
    // SAFETY: The shim checks the range.
    unsafe { childkernel_cpu_online(cpu) }
}

/// Reads a CPU list such as `0,2-3` into a mask.
///
/// # Errors
///
/// `EINVAL` or `ERANGE` from `cpulist_parse()`.
pub(crate) fn cpulist_parse(list: &CStr, mask: &mut kernel::cpumask::Cpumask) -> Result {
    // SAFETY: `list` is NUL-terminated and `mask` is a valid cpumask that we have for ourselves.
    let ret = unsafe { childkernel_cpulist_parse(list.as_char_ptr(), mask.as_raw()) };
    kernel::error::to_result(ret)
}

/// Gives way to another task if one waits for this CPU.
///
/// Context: process, may sleep.
#[inline]
pub(crate) fn cond_resched() {
    // SAFETY: Called in process context; with something held that forbids to sleep it would be
    // a bug, that the kernel's debugging finds, but none of memory.
    unsafe { childkernel_cond_resched() }
}

/// The most that [`ndelay`] takes, in ns.
pub(crate) const NDELAY_MAX: u64 = 1_000_000;

/// Spins for about `ns` nanoseconds, at most [`NDELAY_MAX`]. From any context.
#[inline]
pub(crate) fn ndelay(ns: u64) {
    if ns > 0 {
        // SAFETY: No preconditions; the limit keeps the C arithmetic from overflowing.
        unsafe { childkernel_ndelay(ns.min(NDELAY_MAX) as c_ulong) }
    }
}

/// Runs into `BUG()`.
#[cfg(CONFIG_CHILDKERNEL_FAULTS)]
pub(crate) fn fault_bug() {
    // SAFETY: That the thread dies is what the caller wants.
    unsafe { bindings::BUG() }
}

/// Writes to where nothing is.
#[cfg(CONFIG_CHILDKERNEL_FAULTS)]
pub(crate) fn fault_null() {
    // SAFETY: Nothing is there that could be changed, and that the thread dies is what the caller
    // wants.
    unsafe { childkernel_fault_null() }
}

/// Keeps a module notifier registered as long as it lives.
///
/// The callback runs in process context, inside the notifier chain's own lock, for every module
/// that goes: after its exit function and before its text.
#[pin_data(PinnedDrop)]
pub(crate) struct GoingNotifier {
    #[pin]
    nb: Opaque<bindings::notifier_block>,
    callback: fn(*const bindings::module),
}

// SAFETY: The block is only touched by the notifier chain, under its own lock.
unsafe impl Send for GoingNotifier {}
// SAFETY: As above; nothing can be done with a shared reference.
unsafe impl Sync for GoingNotifier {}

impl GoingNotifier {
    /// Registers `callback`.
    pub(crate) fn new(callback: fn(*const bindings::module)) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            callback,
            nb <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                // SAFETY: `slot` is valid for writes; a zeroed notifier block with a callback is
                // what the C API asks for. It stays where it is until `drop` unregisters it.
                unsafe {
                    slot.write_bytes(0, 1);
                    (*slot).notifier_call = Some(Self::call);
                    kernel::error::to_result(bindings::register_module_notifier(slot))
                }
            }),
        })
    }

    /// # Safety
    ///
    /// Only to be called by the notifier chain with a block made by [`GoingNotifier::new`].
    unsafe extern "C" fn call(
        nb: *mut bindings::notifier_block,
        state: c_ulong,
        module: *mut c_void,
    ) -> c_int {
        if state == bindings::module_state_MODULE_STATE_GOING as c_ulong {
            // SAFETY: `nb` is the field of a `GoingNotifier` that is registered, so alive.
            let this = unsafe { &*kernel::container_of!(Opaque::cast_from(nb), Self, nb) };
            (this.callback)(module.cast());
        }
        bindings::NOTIFY_DONE as c_int
    }
}

#[pinned_drop]
impl PinnedDrop for GoingNotifier {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: It was registered by `new`, which is the only way to make one.
        unsafe { bindings::unregister_module_notifier(self.nb.get()) };
    }
}
