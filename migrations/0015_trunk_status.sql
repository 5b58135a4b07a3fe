-- A tip whose image is a merge request's build gets a commit status of its own; a tip that was built has that of its build.
alter table trunk add column id bigint generated always as identity;
create unique index trunk_id on trunk (id);
-- When GitLab was told, and why it refused for good.
alter table trunk add column told_at timestamptz, add column refused text;
