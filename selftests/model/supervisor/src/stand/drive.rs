// SPDX-License-Identifier: GPL-2.0

//! Random sequences of events, and what a child does with them.

use super::{
    arena::Meter,
    body::Body,
    budget::Budget,
    deputy::{Exit, OnExit},
    history::History,
    identity::Generations,
    record::{Mail, Record, Rules},
    restart::{Policy, Restart, Restarts},
    run::{Code, Program},
    state::{State, StateCell},
    watch::Watch,
};
use crate::{
    kernel_api::prelude::*,
    sync::{atomic::Atomic, order::Token, Arc, Completion},
    world,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRng, TestRunner},
};
use std::rc::Rc;

/// What can happen.
#[derive(Clone, Debug)]
enum Event {
    /// So many ms pass.
    Pass(u16),
    /// The supervisor looks.
    Look,
    /// A thread returns, with an error or without; is gone then; or dies.
    Returns(u8, bool),
    Exits(u8),
    Dies(u8),
    /// Its owner tells it to end, starts it again, or lets go of it.
    Stop,
    Restart,
    Close,
    /// The module begins to go.
    ModuleGoes,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0u16..400).prop_map(Event::Pass),
        1 => (0u16..12_000).prop_map(Event::Pass),
        8 => Just(Event::Look),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(which, error)| Event::Returns(which, error)),
        4 => any::<u8>().prop_map(Event::Exits),
        3 => any::<u8>().prop_map(Event::Dies),
        1 => Just(Event::Stop),
        1 => Just(Event::Restart),
        // Rarely, as nothing much comes after it.
        1 => prop_oneof![4 => Just(Event::Look), 1 => Just(Event::Close)],
        1 => prop_oneof![9 => Just(Event::Look), 1 => Just(Event::ModuleGoes)],
    ]
}

/// What a child is like.
#[derive(Clone, Debug)]
struct Setup {
    policy: Policy,
    limit: u32,
    window_ms: u32,
    first_ms: u32,
    threads: usize,
    heartbeat: u32,
    hook: bool,
    oopses_max: u32,
    quarantined_before: u32,
}

fn setup() -> impl Strategy<Value = Setup> {
    let policy = prop_oneof![
        1 => Just(Policy::Never),
        2 => Just(Policy::OnError),
        4 => Just(Policy::OnCrash),
        2 => Just(Policy::Always),
    ];
    let rules = (policy, 0u32..4, 1u32..3_000, 0u32..50);
    let rest = (
        1usize..3,
        prop_oneof![Just(0u32), 10u32..100],
        any::<bool>(),
    );
    let machine = (
        prop_oneof![0u32..6, Just(100)],
        prop_oneof![Just(0u32), 6u32..9],
    );
    (rules, rest, machine).prop_map(|(rules, rest, machine)| Setup {
        policy: rules.0,
        limit: rules.1,
        window_ms: rules.2,
        first_ms: rules.3,
        threads: rest.0,
        heartbeat: rest.1,
        hook: rest.2,
        oopses_max: machine.0,
        quarantined_before: machine.1,
    })
}

/// A child, and who owns it.
struct Child {
    record: Arc<Record>,
    body: Body,
    closed: bool,
}

static MODULE: ThisModule = ThisModule;

impl Child {
    fn new(setup: &Setup) -> Result<Self> {
        let budget = Budget::new(setup.oopses_max);
        (0..setup.quarantined_before).for_each(|_| budget.quarantine());
        let ns = |ms: u32| i64::from(ms) * 1_000_000;
        let record = Record {
            id: 1,
            cpus: Vec::new(),
            scheduling: (),
            nice: (),
            heartbeat: setup.heartbeat,
            watch: Arc::new(Watch { budget }, GFP_KERNEL)?,
            state: StateCell::new(),
            generations: Generations::new(),
            outcome: Atomic::new(0),
            concluded: Atomic::new(0),
            slots: vec![(); setup.threads],
            memory: Arc::new(Meter, GFP_KERNEL)?,
            ended: Completion::default(),
            crashes: Atomic::new(0),
            silence: Atomic::new(0),
            mail: Mail,
            history: History,
            rules: Rules {
                limit: setup.limit,
                window_ns: ns(setup.window_ms),
                first_ns: ns(setup.first_ms),
                oopses_max: setup.oopses_max,
                quarantined_before: setup.quarantined_before as usize,
            },
            seen: Default::default(),
        };
        let restart = Restart::by(setup.policy)
            .limit(setup.limit, setup.window_ms)
            .backoff(setup.first_ms, 10_000);
        let code: Rc<dyn Program> = Rc::new(Code);
        let hook: Rc<dyn OnExit> = Rc::new(|_: &Exit| {});
        let mut this = Self {
            record: Arc::new(record, GFP_KERNEL)?,
            body: Body::new(
                code.into(),
                setup.hook.then(|| hook.into()),
                &MODULE,
                Restarts::new(restart),
            ),
            closed: false,
        };
        this.record.seen.borrow_mut().by_hand = true;
        this.body.start(&this.record, &mut Token::any())?;
        this.record.seen.borrow_mut().by_hand = false;
        Ok(this)
    }

    fn look(&mut self, may_wait: bool) {
        world::may_wait(may_wait);
        self.body.attend(&self.record, &mut Token::any(), may_wait);
        if self.closed && self.body.is_buried() {
            drop(self.body.take_pin());
        }
        world::may_wait(false);
    }

    /// As `Child::stop` of the module, but for the wait. Says whether it has ended.
    fn stop(&mut self) -> bool {
        self.record.seen.borrow_mut().asked = true;
        self.body.ask(&self.record);
        self.look(true);
        let over = self.body.awaited(false).is_none();
        if over {
            world::may_wait(true);
            drop(self.body.take_remains());
            world::may_wait(false);
        }
        over
    }

    /// As `Child::restart`.
    fn restart(&mut self) {
        let room = self.record.watch.budget.has_room();
        if self.closed || !self.stop() || self.body.has_given_up() && !room {
            return;
        }
        self.body.want();
        let mut seen = self.record.seen.borrow_mut();
        (seen.asked, seen.by_hand) = (false, true);
        drop(seen);
        self.record.transition(State::Spawning);
        if self.body.start(&self.record, &mut Token::any()).is_err() {
            self.record.ended.complete_all();
        }
        self.record.seen.borrow_mut().by_hand = false;
    }

    /// As `Child::close`.
    fn close(&mut self) {
        if self.closed || !self.stop() {
            return;
        }
        let pin = match self.body.has_given_up() {
            true => match self.body.new_pin() {
                Some(pin) => Some(pin),
                // Its owner waits until all has ended.
                None => return,
            },
            false => None,
        };
        self.closed = true;
        world::may_wait(true);
        self.body.close(&self.record, pin).settle(&self.record);
        world::may_wait(false);
    }

    fn meets(&mut self, event: &Event) {
        match *event {
            Event::Pass(ms) => world::pass(i64::from(ms) * 1_000_000),
            Event::Look => self.look(false),
            Event::Returns(which, error) => world::returns(which.into(), error),
            Event::Exits(which) => world::exits(which.into()),
            Event::Dies(which) => world::dies(which.into()),
            Event::Stop => drop(self.stop()),
            Event::Restart => self.restart(),
            Event::Close => self.close(),
            Event::ModuleGoes => world::module_goes(),
        }
        world::check();
        // Who waits for its end is not told of one that another follows by itself.
        let running = matches!(self.record.state(), State::Running | State::Backoff);
        if running && !self.closed && self.record.ended.is_done() {
            world::violation("told of its end while it runs");
        }
    }
}

fn live(setup: &Setup, events: &[Event]) -> Result<u32, String> {
    world::begin();
    let mut child = Child::new(setup).map_err(|e| format!("not started: {e:?}"))?;
    for event in events {
        child.meets(event);
        if let Some(violation) = world::first_violation() {
            // What is left is beyond all rules.
            core::mem::forget(child);
            return Err(violation);
        }
    }
    let generations = child.record.generation();
    core::mem::forget(child);
    Ok(generations)
}

/// Tries so many sequences. What was found, or what was seen.
pub fn check(cases: u32) -> Result<String, String> {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    // The same each time: a failure can be looked at again.
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let events = proptest::collection::vec(event(), 1..150);
    let generations = core::cell::Cell::new(0u64);
    let tried = runner.run(&(setup(), events), |(setup, events)| {
        let seen = live(&setup, &events).map_err(TestCaseError::fail)?;
        generations.set(generations.get() + u64::from(seen));
        Ok(())
    });
    match tried {
        Ok(()) => Ok(format!("{} generations", generations.get())),
        Err(error) => Err(error.to_string()),
    }
}
