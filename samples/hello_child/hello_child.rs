// SPDX-License-Identifier: GPL-2.0

//! Two child kernels share a record: one moves it on, the other watches.
//!
//! A whole module that uses childkernel as any other module would.

use childkernel::{
    child::{Builder, Handle},
    new_seqlock,
    stats::Counted,
    sync::SeqLock,
};
use kernel::{prelude::*, sync::Arc};

module! {
    type: Hello,
    name: "hello_child",
    authors: ["The childkernel developers"],
    description: "Two child kernels that share a sequence lock",
    license: "GPL",
}

/// A position and the step that led there.
type Position = [u64; 2];

struct Hello {
    writer: Handle,
    reader: Handle,
    position: Arc<Counted<SeqLock<Position>>>,
}

impl kernel::Module for Hello {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let position = Arc::pin_init(
            Counted::new(c"hello/position", new_seqlock!([0, 0], "hello_position")),
            GFP_KERNEL,
        )?;

        let shared: Arc<Counted<SeqLock<Position>>> = position.clone();
        let writer = Builder::new(module, c"hello-writer").spawn(move |ctx| {
            while !ctx.should_stop() {
                let mut guard = shared.lock();
                let [at, step] = guard.load();
                guard.store([at.wrapping_add(step), step.wrapping_add(1)]);
                drop(guard);
                ctx.add_ops(1);
                ctx.sleep(1);
            }
            Ok(())
        })?;

        let shared = position.clone();
        let reader = Builder::new(module, c"hello-reader").spawn(move |ctx| {
            while !ctx.should_stop() {
                let [at, step] = shared.inner().read();
                // The sum of all steps before this one.
                if at != step.wrapping_mul(step.wrapping_sub(1)) / 2 {
                    ctx.violation();
                }
                ctx.add_ops(1);
                ctx.sleep(1);
            }
            Ok(())
        })?;

        pr_info!(
            "children {} and {} run\n",
            writer.record().id(),
            reader.record().id()
        );
        Ok(Self {
            writer,
            reader,
            position,
        })
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        self.writer.stop();
        self.reader.stop();
        let [at, step] = self.position.inner().read();
        pr_info!(
            "{} writes, {} reads, {} torn, at {at} after {step} steps\n",
            self.writer.record().ops(),
            self.reader.record().ops(),
            self.reader.record().violations()
        );
    }
}
