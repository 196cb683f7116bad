// SPDX-License-Identifier: GPL-2.0

//! `requests`: one half of the children ask, the other half answer.
//!
//! Each of those that ask has two that answer it, and each of those that answer takes what there is
//! and answers the last one first. What must hold: each answer is that to the question of who gets
//! it, each call ends, an answer that was given arrives, and each question and each answer is
//! dropped exactly once.
#![deny(unsafe_code)]

use super::{Free, Load, Plan, Twin, Worker};
use crate::{
    child::{
        call::Call,
        mailbox::{Mailbox, Receiver, Sender},
        Context,
    },
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex,
        order::levels,
        Mutex, Ordered,
    },
};
use core::mem::take;
use kernel::{
    fmt,
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Instant, Monotonic},
};

/// How many questions fit into a mailbox.
const DEPTH: usize = 4;
/// A call that takes longer has been forgotten.
const LIMIT_MS: u32 = 20_000;
/// The twin does wrong to one question in so many.
const WRONG_EVERY: u64 = 64;

/// What has become of questions and answers.
struct Tally {
    asked: Atomic<u64>,
    /// Calls that have returned an answer, and calls that have not.
    answered: Atomic<u64>,
    failed: Atomic<u64>,
    /// Answers that were given, and those that nobody waited for any more.
    given: Atomic<u64>,
    late: Atomic<u64>,
    /// Questions and answers that are no more.
    dropped_questions: Atomic<u64>,
    dropped_answers: Atomic<u64>,
}

fn count(counter: &Atomic<u64>) {
    counter.fetch_add(1, Relaxed);
}

struct Question {
    asker: usize,
    number: u64,
    tally: Arc<Tally>,
}

impl Drop for Question {
    fn drop(&mut self) {
        count(&self.tally.dropped_questions);
    }
}

struct Answer {
    value: u64,
    tally: Arc<Tally>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        count(&self.tally.dropped_answers);
    }
}

/// The right answer.
fn answer_to(asker: usize, number: u64) -> u64 {
    let word = (asker as u64).wrapping_shl(48) ^ number;
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)
}

type Asked = Call<Question, Answer>;

/// What a child does.
enum Role {
    /// Asks these in turn.
    Asks(KVec<Sender<Asked>>),
    Answers(Receiver<Asked>),
}

#[pin_data]
struct Requests {
    /// Each child takes its own. What is left in the end is that of children that never ran.
    #[pin]
    roles: Ordered<levels::LoadEnd, Mutex<KVec<Option<Role>>>>,
    twin: Option<Twin>,
    tally: Arc<Tally>,
}

/// By calls.
pub(super) fn call(plan: &Plan) -> Result<Arc<dyn Load>> {
    let pairs = plan.children.div_ceil(2);
    let mut senders = KVec::with_capacity(pairs, GFP_KERNEL)?;
    let mut receivers = KVec::with_capacity(pairs, GFP_KERNEL)?;
    for _ in 0..pairs {
        let (sender, receiver) = Mailbox::<Asked>::open(DEPTH)?;
        senders.push(sender, GFP_KERNEL)?;
        receivers.push(receiver, GFP_KERNEL)?;
    }
    let mut roles = KVec::with_capacity(pairs.saturating_mul(2), GFP_KERNEL)?;
    for (pair, receiver) in receivers.into_iter().enumerate() {
        let mut asks = KVec::new();
        // The one of its own pair, and that of the next.
        for sender in senders.iter().cycle().skip(pair).take(2) {
            asks.push(sender.clone(), GFP_KERNEL)?;
        }
        roles.push(Some(Role::Asks(asks)), GFP_KERNEL)?;
        roles.push(Some(Role::Answers(receiver)), GFP_KERNEL)?;
    }
    let tally = Arc::new(
        Tally {
            asked: Atomic::new(0),
            answered: Atomic::new(0),
            failed: Atomic::new(0),
            given: Atomic::new(0),
            late: Atomic::new(0),
            dropped_questions: Atomic::new(0),
            dropped_answers: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let requests: Arc<Requests> = Arc::pin_init(
        pin_init!(Requests {
            roles <- Ordered::new(new_mutex!(roles, "childkernel_requests_roles")),
            twin: plan.twin,
            tally,
        }),
        GFP_KERNEL,
    )?;
    Ok(requests)
}

impl Requests {
    fn ask(&self, worker: &mut Worker<'_, '_>, senders: KVec<Sender<Asked>>) {
        let limit = Context::jiffies(LIMIT_MS);
        let asker = worker.index;
        for (number, sender) in (1u64..).zip(senders.iter().cycle()) {
            if worker.done() {
                return;
            }
            count(&self.tally.asked);
            let question = Question {
                asker,
                number,
                tally: self.tally.clone(),
            };
            let began = Instant::<Monotonic>::now();
            let result = sender.call_timeout(question, limit);
            // Also if it was answered: then nobody has said so.
            if began.elapsed().as_millis() >= i64::from(LIMIT_MS) {
                worker.ctx.violation();
            }
            match result {
                Ok(answer) => {
                    count(&self.tally.answered);
                    if answer.value != answer_to(asker, number) {
                        worker.ctx.violation();
                        return;
                    }
                }
                Err(_) => {
                    count(&self.tally.failed);
                    // Asked to stop; or it is who answers, and nobody is to wait for it then.
                    return;
                }
            }
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
    }

    fn give(&self, worker: &mut Worker<'_, '_>, call: Asked) {
        let (question, reply) = call.into_parts();
        let before = match self.twin {
            Some(Twin::Swapped) if question.number % WRONG_EVERY == 0 => 1,
            _ => 0,
        };
        worker.pace.hold();
        let answer = Answer {
            value: answer_to(question.asker, question.number.wrapping_sub(before)),
            tally: self.tally.clone(),
        };
        drop(question);
        count(match reply.send(answer) {
            Ok(()) => &self.tally.given,
            Err(_) => &self.tally.late,
        });
        worker.ctx.add_ops(1);
        worker.pace.think();
    }

    /// Answers until nobody is left who asks, or it is asked to stop.
    fn answer(&self, worker: &mut Worker<'_, '_>, mut inbox: Receiver<Asked>) -> Result {
        let mut calls = KVec::with_capacity(DEPTH, GFP_KERNEL)?;
        loop {
            if worker.ctx.should_stop() {
                inbox.close();
            }
            match inbox.recv_batch(&mut calls) {
                Ok(_) => {
                    while let Some(call) = calls.pop() {
                        self.give(worker, call);
                    }
                }
                Err(error) if error == EPIPE => return Ok(()),
                Err(_) => {
                    inbox.close();
                    // A sender may have a place already and be about to put its question there.
                    fsleep(Delta::from_millis(1));
                }
            }
        }
    }
}

impl Load for Requests {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let (mut roles, _) = self.roles.lock(worker.ctx.token());
        let mine = roles.get_mut(worker.index).and_then(Option::take);
        drop(roles);
        match mine.ok_or(EINVAL)? {
            Role::Asks(senders) => {
                self.ask(worker, senders);
                Ok(())
            }
            Role::Answers(inbox) => self.answer(worker, inbox),
        }
    }

    /// Each call has ended in one way, and nothing is left of any.
    fn finish(&self, free: &mut Free<'_>) -> u64 {
        let (mut roles, _) = self.roles.lock(free);
        let left = take(&mut *roles);
        drop(roles);
        // Nobody waits for the answers to what is inside.
        drop(left);
        let tally = &*self.tally;
        let get = |counter: &Atomic<u64>| counter.load(Relaxed);
        let asked = get(&tally.asked);
        let holds = [
            get(&tally.answered).wrapping_add(get(&tally.failed)) == asked,
            get(&tally.dropped_questions) == asked,
            get(&tally.given) == get(&tally.answered),
            get(&tally.given).wrapping_add(get(&tally.late)) == get(&tally.dropped_answers),
        ];
        holds.into_iter().filter(|holds| !holds).count() as u64
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "asked {} answered {} failed {} late {}",
            self.tally.asked.load(Relaxed),
            self.tally.answered.load(Relaxed),
            self.tally.failed.load(Relaxed),
            self.tally.late.load(Relaxed)
        ))
    }
}
