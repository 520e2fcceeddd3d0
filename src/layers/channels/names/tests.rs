//! - A page is what a list gives that is filtered, and its `next` is one of which may be known.
//! - However many are hidden, none of them is looked at but the first.
//! - A part looks at no more names than it may, so that nobody waits for more of them.

use proptest::prelude::*;

use super::*;

fn names(all: &[String]) -> Names {
    let mut names = Names::default();
    for name in all {
        names.set_live(name, true);
    }
    names
}

/// Names around where those begin and end that are hidden.
fn name() -> impl Strategy<Value = String> {
    let head = prop_oneof![
        Just("presence-"),
        Just("private-"),
        Just("presence"),
        Just("private"),
        Just("private."),
        Just("a"),
        Just("z"),
    ];
    (head, "[-.ab]{1,2}").prop_map(|(head, tail)| format!("{head}{tail}"))
}

fn own(all: &[String], is_own: impl Fn(usize) -> bool) -> BTreeSet<ChannelName> {
    let all = all.iter().enumerate().filter(|(at, _)| is_own(*at));
    all.map(|(_, name)| ChannelName::parse(name, 164).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn pages_are_what_a_filtered_list_is(
        all in proptest::collection::vec(name(), 0..30),
        own_ones in any::<u32>(),
        limit in 1..5usize,
        most in 1..5usize,
        prefix in proptest::option::of(prop_oneof![Just("p"), Just("private-"), Just("private-a")]),
    ) {
        let names = names(&all);
        let own = own(&all, |at| own_ones & (1 << at) != 0);
        let mut expected: Vec<_> = all.iter().filter(|name| {
            let hidden = name.starts_with("private-") || name.starts_with("presence-");
            (!hidden || own.contains(name.as_str()))
                && prefix.is_none_or(|prefix| name.starts_with(prefix))
        }).cloned().collect();
        expected.sort();
        expected.dedup();
        let pattern = prefix.map(|prefix| Pattern::prefix(prefix).unwrap());
        let known = Known::PublicAnd { own, user: None };
        let wanted = Wanted { known: &known, pattern: pattern.as_ref(), declared_only: false, private: None };
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let part = names.page(&wanted, from.as_ref(), limit, most);
            prop_assert!(part.looked_at <= most && part.page.len() <= limit);
            found.extend(part.page.into_iter().map(|view| view.channel_id));
            if let Some(Cursor::After(name)) = &part.next {
                prop_assert!(expected.contains(name), "{name}");
            }
            let Some(next) = part.next else { break };
            prop_assert!(from.as_ref() != Some(&next), "it goes on");
            from = Some(next);
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn what_is_hidden_ends_no_page_early() {
    let mut all: Vec<_> = (0..10_010)
        .map(|number| format!("private-{number}"))
        .collect();
    all.push("quote".to_owned());
    let known = Known::PublicAnd {
        own: BTreeSet::new(),
        user: None,
    };
    let wanted = Wanted {
        known: &known,
        pattern: None,
        declared_only: false,
        private: None,
    };
    let part = names(&all).page(&wanted, None, 10, 256);
    let found: Vec<_> = part.page.iter().map(|view| &*view.channel_id).collect();
    assert_eq!((found, part.next, part.looked_at), (vec!["quote"], None, 1));
}
