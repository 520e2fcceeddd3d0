use super::*;

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
