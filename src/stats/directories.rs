// SPDX-License-Identifier: GPL-2.0

//! A directory in debugfs with a directory for each of the things that there are: children, locks.
//!
//! Things are made before there is debugfs, without debugfs, and while the module comes and goes.
//! So who makes one says so here, and does not wait for an answer.
#![deny(unsafe_code)]

use crate::{
    ffi::debugfs::{Dir, Field, ObjectDir},
    sync::{
        order::{Before, Level, Outermost, Token},
        registry::{Global, RegistryMutex},
    },
};
use kernel::{
    fmt::{self, Display},
    prelude::*,
    str::CString,
    sync::Arc,
    ModuleMetadata, //
};

/// What a file of one value shows.
pub(crate) fn line(f: &mut fmt::Formatter<'_>, value: impl Display) -> fmt::Result {
    f.write_fmt(fmt!("{value}\n"))
}

/// The directories of all things of type `T`, behind a mutex of level `V`.
///
/// The mutex is held while directories are made, and never while one is removed: removing waits
/// for those who read or write in it, and what a file does may well end in here.
pub(crate) struct Directories<V: Level, T: Send + Sync + 'static> {
    shown: Global<V, Shown<T>>,
    fields: &'static [Field<T>],
    name_of: fn(&T) -> Result<CString>,
}

struct Shown<T: Send + Sync + 'static> {
    place: Option<Place<T>>,
    entries: KVec<Entry<T>>,
}

/// Where the directories are, and how one is made: with files of the module that was named there.
struct Place<T: Send + Sync + 'static> {
    dir: Dir,
    make: Make<T>,
}

type Make<T> = fn(&Dir, &CStr, Arc<T>, &'static [Field<T>]) -> ObjectDir<T>;

struct Entry<T: Send + Sync + 'static> {
    dir: ObjectDir<T>,
    /// What it wants to be called, and which of those that do it is.
    name: CString,
    number: u32,
}

impl<V: Level, T: Send + Sync + 'static> Directories<V, T>
where
    Outermost: Before<V>,
{
    /// Nothing is shown yet. A directory is to be called as `name_of` says, without any `~`: of
    /// those that are to be called the same the second is `NAME~2`, and so on. A number is not
    /// used again while there is a higher one.
    pub(crate) const fn new(
        mutex: RegistryMutex,
        fields: &'static [Field<T>],
        name_of: fn(&T) -> Result<CString>,
    ) -> Self {
        let shown = Shown {
            place: None,
            entries: KVec::new(),
        };
        Self {
            shown: Global::new(mutex, shown),
            fields,
            name_of,
        }
    }

    /// Shows in directory `name` of `parent` what there is, as `list` says, and what will be.
    /// Open files keep module `M`.
    ///
    /// What is on that list has been put there before [`add`](Self::add) was called for it, and was
    /// taken off before [`remove`](Self::remove).
    pub(crate) fn open<M: ModuleMetadata>(
        &self,
        parent: &Dir,
        name: &CStr,
        list: impl FnOnce(&mut Token<'_, V>) -> Result<KVec<Arc<T>>>,
    ) {
        let place = Place {
            dir: parent.dir(name),
            make: ObjectDir::new::<M>,
        };
        self.shown.with(&mut Token::outermost(), |shown, token| {
            shown.place = Some(place);
            // As everywhere in debugfs, what can not be shown is not.
            for object in list(token).unwrap_or_default() {
                let _ = self.show(shown, &object);
            }
        });
    }

    /// Shows nothing any more. Waits for those who are reading.
    pub(crate) fn close(&self) {
        let gone = self.shown.with(&mut Token::outermost(), |shown, _| {
            (core::mem::take(&mut shown.entries), shown.place.take())
        });
        drop(gone);
    }

    /// Shows `object`, if anything is shown and it is not.
    pub(crate) fn add(&self, object: &Arc<T>) {
        self.shown.with(&mut Token::outermost(), |shown, _| {
            // As in `open`.
            let _ = self.show(shown, object);
        });
    }

    /// Does not show `object` any more. Waits for those who are reading it.
    pub(crate) fn remove(&self, object: &T) {
        let gone = self.shown.with(&mut Token::outermost(), |shown, _| {
            let at = shown.position(object)?;
            let gone = shown.entries.remove(at).ok();
            if shown.entries.is_empty() {
                // Nothing stays allocated in a static when the module goes.
                shown.entries = KVec::new();
            }
            gone
        });
        drop(gone);
    }

    fn show(&self, shown: &mut Shown<T>, object: &Arc<T>) -> Result {
        let Some(place) = &shown.place else {
            return Ok(());
        };
        if shown.position(object).is_some() {
            return Ok(());
        }
        let name = (self.name_of)(object)?;
        let last = shown
            .entries
            .iter()
            .filter(|entry| *entry.name == *name)
            .map(|entry| entry.number)
            .max();
        let number = last.map_or(1, |last| last.saturating_add(1));
        shown.entries.reserve(1, GFP_KERNEL)?;
        let dir = if number == 1 {
            (place.make)(&place.dir, &name, object.clone(), self.fields)
        } else {
            let name = CString::try_from_fmt(fmt!("{}~{number}", name.to_str()?))?;
            (place.make)(&place.dir, &name, object.clone(), self.fields)
        };
        let entry = Entry { dir, name, number };
        Ok(shown.entries.push(entry, GFP_KERNEL)?)
    }
}

impl<T: Send + Sync + 'static> Shown<T> {
    fn position(&self, object: &T) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| core::ptr::eq(entry.dir.object(), object))
    }
}
