-- Builds of the trunk: a push to a target branch whose tree no merge request's build has tested is built by itself. Such a
-- build has no merge request; its head is the pushed commit.
alter table build alter column iid drop not null;
-- The intent of a push: one build a tip. Beside `build_intent`, which does not see rows without a merge request.
create unique index build_trunk_intent on build (project_id, target_branch, head)
    where iid is null and trigger <> 'person' and state <> 'superseded' and state <> 'cancelled';
create index build_trunk on build (project_id, target_branch, head) where iid is null;
-- Is this a target branch, that is, has anything been built for it?
create index build_target on build (project_id, target_branch, created_at);
-- Who is at a tree just now? Few builds at any time.
create index build_unfinished on build (project_id, target_branch) where state in ('queued', 'running');

-- A tip is written down when it is seen, and gets its image when there is one: both may come first. `at` is the time of the
-- push, not of the image, so that a long build does not turn the order of two tips round.
alter table trunk alter column build_id drop not null;
-- What told of the tip, to be looked at again if the build that it waits for ends without an image; null: the comparison
-- with GitLab, which looks again by itself.
alter table trunk add column delivery_id uuid;
create index trunk_branch on trunk (project_id, branch, at);
