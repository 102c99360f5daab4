//! What every registry must do: keep what it was given, say what has changed, forget nothing it has to remember.

mod stand;

#[allow(missing_docs, reason = "the name of a behaviour says what it is")]
pub mod api_keys;
#[allow(missing_docs, reason = "likewise")]
pub mod audit;
#[allow(missing_docs, reason = "likewise")]
pub mod backups;
#[allow(missing_docs, reason = "likewise")]
pub mod changes;
#[allow(missing_docs, reason = "likewise")]
pub mod clients;
#[allow(missing_docs, reason = "likewise")]
pub mod import;
#[allow(missing_docs, reason = "likewise")]
pub mod lock;
#[allow(missing_docs, reason = "likewise")]
pub mod log_ins;
#[allow(missing_docs, reason = "likewise")]
pub mod marks;
#[allow(missing_docs, reason = "likewise")]
pub mod removal;
#[allow(missing_docs, reason = "likewise")]
pub mod user_backups;
#[allow(missing_docs, reason = "likewise")]
pub mod user_tokens;
#[allow(missing_docs, reason = "likewise")]
pub mod users;

pub use stand::{NOW, RegistryStand, generation, linked, new_client, new_user, told_since, user};

/// Makes a test of each behaviour for the registry that this [`RegistryStand`] starts.
#[macro_export]
macro_rules! registry_suite {
    ($stand:ty) => {
        $crate::behaviours! { registry, $stand:
            api_keys {
                an_api_key_is_in_the_snapshot_with_all_it_was_added_with_and_stays_when_expired
                a_key_or_a_name_is_registered_once_and_a_refusal_changes_nothing
                a_revoked_key_is_gone_with_its_grants_and_never_comes_back_while_its_name_is_free
                every_change_raises_the_generation_and_its_audit_line_holds_no_digest
                days_of_use_are_kept_for_a_client_and_an_api_key_alike
                a_backup_brings_api_keys_back_but_none_that_was_revoked_since
                a_purge_of_all_clients_leaves_api_keys
            }
            audit {
                the_newest_lines_come_first_and_no_more_than_asked_for
            }
            backups {
                a_backup_brings_clients_back_but_none_that_was_revoked_since_and_never_lowers_the_mark
                a_restore_forgives_neither_who_was_disabled_nor_who_expired
                a_secret_that_a_rotation_has_ended_stays_ended_and_the_newer_one_works
                a_backup_that_is_newer_brings_its_newer_secret
                a_faulty_backup_changes_nothing
                a_restore_forgives_nobody_who_was_linked_or_unlinked_meanwhile
            }
            changes {
                each_change_of_one_principal_is_told_alone
                api_keys_are_told_like_clients
                of_unlinked_clients_one_row_says_that_they_have_changed_and_only_new_ones_are_read
                who_is_far_behind_or_ahead_reads_everything
                who_comes_back_is_read_anew_whatever_it_was_before
            }
            clients {
                a_linked_client_keeps_its_name_secret_grants_and_expiry
                an_unlinked_clients_key_and_secret_are_kept_apart
                the_rows_of_unlinked_clients_lie_in_no_order_but_that_of_their_digests
                share_point_23_a_key_a_secret_or_a_name_is_registered_once_and_a_refusal_changes_nothing
                share_point_23_registrations_in_parallel_lose_nothing
                every_change_raises_the_generation_and_leaves_its_line_in_the_audit
                a_rotation_keeps_the_old_secret_for_the_overlap_and_buries_the_one_before
                days_of_use_are_kept_and_change_nothing_that_servers_follow
            }
            import {
                what_is_not_known_yet_is_taken_in_unlinked_and_once
                nothing_to_take_in_changes_nothing
                who_is_linked_already_stays_so
                share_point_31_what_was_revoked_is_not_taken_in_again_unless_revived
            }
            lock {
                one_server_holds_the_registry_and_gives_it_back
            }
            log_ins {
                accounts_12_a_row_tells_first_and_last_to_the_hour_and_failures_since_then
                accounts_11_a_user_has_logged_in_from_a_network_in_whatever_way_since_then
                accounts_12_a_user_has_64_rows_of_which_the_least_useful_go
                accounts_12_of_many_log_ins_in_one_hour_the_one_that_is_noted_stays
                of_nobodys_log_ins_nothing_is_kept
            }
            marks {
                marks_outlive_the_process_and_raise_no_generation
                a_mark_falls_when_the_previous_secret_ends_and_not_with_the_rotation
            }
            removal {
                a_revoked_linked_client_is_gone_with_its_secret_and_comes_back_only_when_revived
                of_an_unlinked_client_key_and_secret_are_revoked_each_by_itself
                a_purge_takes_everyone_out_in_one_step
            }
            user_backups {
                a_backup_brings_users_back_with_all_that_hangs_on_them
                accounts_02_a_restore_brings_back_no_removed_user_and_no_revoked_token
                accounts_06_a_restore_lowers_no_epoch_and_brings_back_no_earlier_password
                a_restore_forgives_no_user_who_was_disabled_or_expires
            }
            user_tokens {
                accounts_07_a_token_is_found_by_its_digest_with_all_it_was_added_with
                a_token_or_a_label_is_used_once_and_a_refusal_changes_nothing
                a_revoked_token_never_comes_back_while_its_label_is_free
                accounts_06_tokens_end_with_their_user_or_when_a_password_ends_them_and_not_by_the_epoch
                days_of_use_are_kept_for_a_token_and_change_nothing_that_servers_follow
            }
            users {
                a_user_is_found_by_name_and_by_id_with_all_it_was_added_with
                a_name_is_used_once_at_a_time_and_a_refusal_changes_nothing
                accounts_02_a_name_used_again_inherits_nothing
                accounts_06_the_epoch_rises_with_what_ends_sessions_and_with_nothing_else
                accounts_04_a_password_is_hashed_anew_only_while_it_is_the_same
                accounts_18_each_change_of_a_user_is_told_alone_and_no_start_reads_users
                every_change_of_a_user_leaves_its_line_in_the_audit_without_a_secret
                days_of_use_are_kept_for_a_user_and_change_nothing_that_servers_follow
                changes_of_users_in_parallel_lose_nothing
                a_purge_of_all_clients_leaves_users
            }
        }
    };
}
