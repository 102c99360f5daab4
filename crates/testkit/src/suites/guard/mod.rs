//! What every guard must do: remember what it has accepted, slow down who fails, know who was seen.

mod stand;

#[allow(missing_docs, reason = "the name of a behaviour says what it is")]
pub mod failures;
#[allow(missing_docs, reason = "likewise")]
pub mod once;
#[allow(missing_docs, reason = "likewise")]
pub mod passwords;
#[allow(missing_docs, reason = "likewise")]
pub mod replay;
#[allow(missing_docs, reason = "likewise")]
pub mod sessions;
#[allow(missing_docs, reason = "likewise")]
pub mod sightings;

pub use stand::{GuardLimits, GuardStand, START, classic, envelope, item, key};

/// Makes a test of each behaviour for the guard that this [`GuardStand`] starts.
#[macro_export]
macro_rules! guard_suite {
    ($stand:ty) => {
        $crate::behaviours! { guard, $stand:
            replay {
                share_point_06_times_up_to_the_ttl_are_accepted_on_both_sides_and_none_beyond
                share_point_10_a_second_sending_is_refused_for_as_long_as_its_time_could_be_accepted
                share_point_11_a_request_with_one_part_of_an_accepted_one_is_refused
                share_point_32_a_request_accepted_before_a_crash_is_refused_after_it
                a_request_that_holds_a_value_twice_or_none_at_all_is_refused
                a_recorded_accepted_request_draws_no_told_answer_while_it_is_remembered
                a_refused_time_is_told_once_and_only_within_a_day
                times_at_the_ends_of_the_scale_are_refused_like_others
                of_many_at_once_one_is_accepted
                a_request_refused_as_ahead_is_not_accepted_when_its_time_has_come
                a_full_table_refuses_until_entries_are_due_and_forgets_nothing
                one_caller_holds_at_most_its_share_and_the_others_go_on
                who_has_no_previous_secret_loses_no_floor
            }
            failures {
                five_failures_are_free_and_each_further_one_slows_longer
                a_hundred_failures_ban_a_public_address_for_an_hour
                who_stands_for_many_is_slowed_and_never_banned
                addresses_of_one_64_are_counted_together
                a_success_takes_only_half_from_the_address
                a_success_never_lifts_a_ban_but_the_operator_does
            }
            once {
                accounts_08_what_is_used_once_is_taken_once_and_in_time
                accounts_08_no_more_waits_than_may_and_what_has_ended_makes_room
            }
            sessions {
                accounts_07_a_token_lasts_as_long_as_it_is_used
                accounts_07_a_session_has_an_end_however_much_it_is_used
                accounts_08_a_session_is_ended_alone_or_with_all_of_its_user
                accounts_08_a_user_has_64_sessions_and_the_one_unused_for_longest_goes
                accounts_08_a_restart_ends_all_sessions
                accounts_08_there_are_no_more_sessions_than_may_be
            }
            passwords {
                accounts_09_counts_are_kept_by_account_and_by_address_and_forgotten_in_time
                accounts_09_a_success_clears_the_account_and_takes_its_failures_off_the_address
                accounts_09_strangers_names_fill_a_bounded_table_and_free_nothing
                accounts_10_five_failures_close_a_public_address_for_an_hour
                accounts_10_who_stands_for_many_is_held_unless_known
                accounts_11_the_fifth_failure_of_an_account_closes_it_to_strangers_for_longer_each_time
                accounts_12_the_operator_sees_what_is_refused_and_lifts_it
            }
            sightings {
                share_point_21_an_address_is_new_then_known_and_returned_after_its_ttl
                an_address_unseen_for_a_day_is_forgotten
                an_address_is_known_by_its_last_eight_keys_the_last_one_first
            }
        }
    };
}
