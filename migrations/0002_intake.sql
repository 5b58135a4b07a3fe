-- What intake needs to decide over a merge request.

-- Which delivery stands for which build: an event that arrived before the one that made the newest build is of yesterday.
create index delivery_build on delivery (build_id, received_at) where build_id is not null;

-- A cancelled build does not stand in the way of a new one either: a merge request that was closed (which cancels its
-- builds) and opened again is built again. That a build which a person cancelled counts as built is intake's decision,
-- made under the merge request's lock.
drop index build_intent;
create unique index build_intent on build (project_id, iid, head, target_branch, draft, seen_tip)
    where trigger <> 'person' and state <> 'superseded' and state <> 'cancelled';
