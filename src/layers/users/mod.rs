//! Users, and the connections of each.
