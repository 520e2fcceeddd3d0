//! The budgets of `budgets.txt`.

/// Clients of each check.
pub(crate) const CLIENTS: usize = 1_000;

/// Returns the budget of this name.
pub(crate) fn budget(name: &str) -> usize {
    let mut budgets = include_str!("budgets.txt").lines();
    let line = budgets.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let budget = line.and_then(|number| number.parse().ok());
    // Without it the check would check nothing.
    budget.unwrap_or_else(|| panic!("no budget `{name}` in tests/support/budgets.txt"))
}
