//! What a request costs at the gate: with nothing in its way, with one policy and with three, and
//! with rate limits.
//!
//! The request is a `ping` on behalf of a user: `Gateway::execute` does nothing else for it, so
//! that the difference between two lines is what stands between them.

use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::task::Waker;
use std::time::Duration;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use throng::Gateway;
use throng::GatewayBuilder;
use throng::Hub;
use throng::UserId;
use throng::policy::Actions;
use throng::policy::Limit;
use throng::policy::LimitKey;
use throng::policy::Policy;
use throng::policy::Verdict;
use throng::protocol::Command;
use throng::session::Caller;
use throng::session::Request;

/// A policy that lets everything pass.
struct Open(Actions);

impl Policy for Open {
    fn name(&self) -> &str {
        "open"
    }

    fn actions(&self) -> Actions {
        self.0
    }

    fn check(&self, _: &Caller<'_>, _: &mut Request) -> Verdict {
        Verdict::Pass
    }
}

/// Users that take turns, so that each has a state of its own in a table.
const USERS: usize = 65_536;

/// A limit that never refuses.
fn limit(actions: Actions) -> Limit {
    Limit::per_user(actions, 1_000_000_000, Duration::from_secs(1))
}

fn gate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gate");
    let mut bench = |name: &str, users: usize, set_up: fn(GatewayBuilder) -> GatewayBuilder| {
        let gateway = set_up(Gateway::builder(Hub::new())).build();
        let users: Vec<_> = (0..users)
            .map(|n| UserId::parse(&format!("user-{n}")).expect("a user"))
            .collect();
        let mut turn = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                turn = (turn + 1) % users.len();
                ping(&gateway, &users[turn]);
            });
        });
    };
    bench("nothing", 1, |builder| builder);
    bench("one policy, asked about other requests", 1, |builder| {
        builder.policy(Open(Actions::JOIN))
    });
    bench("one policy", 1, |builder| {
        builder.policy(Open(Actions::ALL))
    });
    bench("three policies", 1, |builder| {
        (0..3).fold(builder, |builder, _| builder.policy(Open(Actions::ALL)))
    });
    bench("a limit on other requests", 1, |builder| {
        builder.limit(limit(Actions::JOIN))
    });
    bench("a limit on all together", 1, |builder| {
        let all = Limit::overall(Actions::ALL, 1_000_000_000, Duration::from_secs(1));
        builder.limit(all)
    });
    bench("a limit by user, one user", 1, |builder| {
        builder.limit(limit(Actions::ALL))
    });
    bench("a limit by user, 65,536 users", USERS, |builder| {
        builder.limit(limit(Actions::ALL))
    });
    bench("a window by user, one user", 1, |builder| {
        let window = Limit::per_user(Actions::ALL, 1_000_000, Duration::from_millis(100));
        builder.limit(window.sliding_window())
    });
    bench("three limits by user, action and both", 1, |builder| {
        let by_action = Limit::per(
            LimitKey::Action,
            Actions::ALL,
            1 << 29,
            Duration::from_secs(1),
        );
        let both = limit(Actions::ALL).and(LimitKey::Action);
        builder
            .limit(limit(Actions::ALL))
            .limit(by_action)
            .limit(both)
    });
    group.finish();
}

/// Carries out a ping on behalf of a user.
fn ping(gateway: &Gateway, user: &UserId) {
    let caller = Caller::on_behalf_of(user.clone());
    let done = pin!(gateway.execute(caller, Request::from(Command::Ping)));
    let polled = done.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready(), "there is nothing to wait for");
}

criterion_group!(benches, gate);
criterion_main!(benches);
