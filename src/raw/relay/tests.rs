use super::*;

#[test]
fn one_of_those_who_ask_arranges_the_visit() {
    let relay = Relay::<u32>::default();
    assert!(relay.ask());
    assert!(!relay.ask());
    assert_eq!(relay.visit(|value| *value + 1), Some(1));
    assert!(relay.ask(), "what comes after a visit has begun asks anew");
}

#[test]
fn who_has_the_value_learns_of_a_missed_visit_once() {
    let relay = Relay::<u32>::default();
    let ((), missed) = relay.enter(|value| {
        *value = 7;
        assert_eq!(relay.visit(|_| ()), None);
        assert_eq!(relay.visit(|_| ()), None);
    });
    assert!(missed);
    assert_eq!(relay.enter(|value| *value), (7, false));
}
