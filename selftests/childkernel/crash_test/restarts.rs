// SPDX-License-Identifier: GPL-2.0

//! Restarts have their limits. All of it is counted; no case depends on how fast the machine is.

use super::{
    cell::{has_ended, Kind},
    HOUR_MS, MODULE,
};
use childkernel::child::{Builder, End, Restart, State};
use kernel::prelude::*;

list_cases!("case": restarts_limit, restarts_backoff, restarts_policy);

/// So many restarts as were allowed, not one more and not one less.
fn restarts_limit() -> Result {
    for limit in [0, 1, 3, 15] {
        let child = Builder::new(&MODULE, c"crash")
            .restart(Restart::on_error().limit(limit, HOUR_MS).backoff(1, 1))
            .spawn(|_| Err(EIO))?;
        let record = child.record();
        ensure!(record.wait() == Ok(End::Failed(EIO)) && record.state() == State::Failed);
        ensure!(record.restarts() == u64::from(limit) && record.generation() == limit + 1);
        let ends = [End::Failed(EIO); 16];
        ensure!(has_ended(
            record,
            ends.get(..=limit as usize).ok_or(EINVAL)?
        ));
    }
    Ok(())
}

/// Each wait is twice the one before, up to the most; none is shorter.
fn restarts_backoff() -> Result {
    let child = Builder::new(&MODULE, c"crash")
        .restart(Restart::on_error().limit(4, HOUR_MS).backoff(20, 70))
        .spawn(|_| Err(EIO))?;
    let record = child.record();
    ensure!(record.wait() == Ok(End::Failed(EIO)) && record.restarts() == 4);
    let mut waits = [20, 40, 70, 70].into_iter();
    let mut ended = None;
    record.each_end(|past| {
        let started = past.at_ns - past.lived_ns;
        if let Some(ended) = ended {
            let least: u64 = waits.next().ok_or(EINVAL)? * 1_000_000;
            ensure!(started - ended >= least);
        }
        ended = Some(past.at_ns);
        Ok(())
    })?;
    ensure!(waits.next().is_none());
    Ok(())
}

/// What is restarted after what.
fn restarts_policy() -> Result {
    let policies = [
        (Restart::NEVER, [0, 0, 0]),
        (Restart::on_error(), [0, 1, 0]),
        (Restart::on_crash(), [0, 1, 1]),
        (Restart::always(), [1, 1, 1]),
    ];
    for (restart, restarts) in policies {
        for (kind, expected) in [Kind::Not, Kind::Error, Kind::Bug]
            .into_iter()
            .zip(restarts)
        {
            let child = Builder::new(&MODULE, c"crash")
                .restart(restart.limit(1, HOUR_MS).backoff(1, 1))
                .spawn(move |_| kind.fail())?;
            let record = child.record();
            ensure!(record.wait() == Ok(kind.end()) && record.restarts() == expected);
            let state = match (expected, kind) {
                (1, _) => State::Failed,
                (_, Kind::Bug) => State::Crashed,
                _ => State::Stopped,
            };
            ensure!(record.state() == state);
        }
    }
    Ok(())
}
