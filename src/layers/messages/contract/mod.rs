//! What every store must do: one suite, run against each.
//!
//! A store runs it with one line in its tests, `contract!(make)`, where `make` is a function that
//! gives a box, or whatever else leads to one, with a new store with nothing in it. Each case
//! becomes a test of its own. What the docs of
//! [`MessageStore`](crate::layers::messages::store::MessageStore) leave open is settled here:
//!
//! * An empty page lies where its cursor was: its `older` and `newer` lead away from there, so
//!   that whoever goes on with them misses nothing.
//! * A thread ends with its first message: once that is deleted or gone, neither it nor its
//!   answers are answered any more.
//! * Reactions are in the order in which the first of those came who have them now. What comes
//!   after a user who has no such reaction is nothing.
//! * What a list names twice is given once.
//! * Where a message may not be saved for its number and for its thread, the number is told.

pub(super) mod cleaning;
pub(super) mod editing;
pub(super) mod model;
pub(super) mod pages;
pub(super) mod reactions;
pub(super) mod rooms;
pub(super) mod saving;
pub(super) mod searching;
pub(super) mod support;
pub(super) mod threads;

/// Makes a test of each case, run against a store made by `$make`.
macro_rules! contract {
    ($make:path) => {
        $crate::layers::messages::contract::contract! {
            cases of $make:
            cleaning {
                counters_survive_cleaning
                the_oldest_beyond_the_age_or_the_count_go
                what_is_cleaned_away_leaves_nothing
                what_one_turn_removes_is_bounded
            }
            editing {
                a_condition_is_of_the_message_as_it_is_then
                a_deleted_message_stays_as_such
                an_edit_changes_one_row_in_place
                revisions_are_kept_in_order_up_to_their_limit
                of_revisions_the_newest_that_fit_are_given
                what_cannot_be_edited_says_why
            }
            pages {
                a_limited_page_since_a_number_takes_the_oldest_unseen
                a_page_ends_where_its_bytes_do
                a_page_is_of_its_room_alone
                a_page_may_be_of_one_event
                a_search_ends_where_its_bytes_do
                an_empty_page_leads_on_from_where_it_is
                cursors_cover_all_once_the_newest_first
                cursors_cover_all_once_the_oldest_first
                filters_hold_together
                limits_are_kept_within_bounds
                pages_since_a_number_exclude_it
                the_cursors_of_a_page_are_its_ends
                the_times_given_are_included
                unknown_rooms_and_threads_are_empty
            }
            reactions {
                a_reaction_counts_once_for_each_user
                concurrent_reactions_are_all_counted
                different_reactions_are_limited
                reactions_are_in_order_of_their_first
                reactors_are_given_page_by_page
                what_cannot_be_reacted_to_says_why
            }
            rooms {
                a_forgotten_room_leaves_nothing
                a_forgotten_user_leaves_nothing
                snapshots_are_kept_until_replaced
                unread_counts_what_others_wrote_since
            }
            saving {
                a_failing_change_leaves_the_others_made
                a_given_number_must_be_greater_than_all
                concurrent_saves_get_numbers_of_their_own
                no_message_is_older_than_the_one_before
                numbers_count_from_one_in_each_room
                numbers_beyond_the_greatest_are_refused
                what_is_saved_is_read_again
            }
            searching {
                a_search_goes_both_ways_with_cursors
                a_search_is_of_its_rooms_and_its_user
                a_search_may_be_of_one_event
                deleted_and_former_texts_are_not_found
                phrases_prefixes_and_exclusions_are_found
            }
            threads {
                an_answer_to_an_answer_joins_its_thread
                deleted_answers_count_no_more
                forgotten_answers_count_no_more
                unknown_threads_are_refused
            }
        }

        #[test]
        fn any_changes_agree_with_the_model() {
            $crate::layers::messages::contract::model::agrees($make);
        }
    };
    (cases of $make:path: $($area:ident { $($case:ident)* })*) => {
        $($(
            #[test]
            fn $case() {
                $crate::layers::messages::contract::$area::$case(&*$make());
            }
        )*)*
    };
}

pub(super) use contract;
