// SPDX-License-Identifier: GPL-2.0

//! The functions of `shim.h` that the modelled sources call, with what they are made of in the
//! kernel: see `kernel::bindings`.

use core::ffi::{c_int, c_void};
use kernel::{
    bindings::{self, list_head},
    run,
    sync::atomic::Atomic,
};

/// What deferred reclaim needs of an object: nothing here.
#[allow(non_camel_case_types)]
pub struct childkernel_reclaim {
    _nothing: (),
}

pub unsafe fn childkernel_init_list_head_rcu(head: *mut list_head) {
    unsafe { list_head::init(head) };
}

pub unsafe extern "C" fn childkernel_list_add_rcu(new: *mut list_head, at: *mut list_head) {
    unsafe { list_head::add_between(new, at, (*at).next) };
}

pub unsafe extern "C" fn childkernel_list_add_tail_rcu(new: *mut list_head, at: *mut list_head) {
    unsafe { list_head::add_between(new, (*at).prev, at) };
}

pub unsafe extern "C" fn childkernel_list_replace_rcu(new: *mut list_head, old: *mut list_head) {
    unsafe { list_head::replace(old, new) };
}

pub unsafe fn childkernel_list_del_rcu(entry: *mut list_head) {
    unsafe { list_head::del(entry) };
}

pub unsafe fn childkernel_list_next_rcu(entry: *const list_head) -> *mut list_head {
    unsafe { list_head::next_rcu(entry) }
}

pub unsafe fn childkernel_rcu_dereference(field: *const *mut c_void) -> *mut c_void {
    // A field that is read so is an `Atomic` of some pointer.
    let field = unsafe { &*field.cast::<Atomic<*mut c_void>>() };
    field.load_as(bindings::dependency())
}

pub unsafe fn childkernel_reclaim(
    item: *mut childkernel_reclaim,
    func: Option<unsafe extern "C" fn(*mut childkernel_reclaim)>,
) {
    if let Some(func) = func {
        run::defer(move || unsafe { func(item) });
    }
}

pub unsafe fn childkernel_reclaim_init() -> c_int {
    0
}

pub unsafe fn childkernel_reclaim_exit() {}

pub unsafe fn childkernel_reclaim_flush() {
    while run::reclaim() {}
}

pub unsafe fn childkernel_reclaim_flush_module(_: *const bindings::module) {
    while run::reclaim() {}
}
