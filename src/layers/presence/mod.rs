//! Who is there: a status for each user, over many connections.
