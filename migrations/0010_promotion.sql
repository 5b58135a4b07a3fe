-- The way of an image through the environments, and who decided it.

-- What the trunk's tips were built as. A push to a target branch whose tree was tested in a merge request is that build's
-- image; another tree has been built by itself.
create table trunk (
    project_id bigint      not null,
    branch     text        not null,
    tip        text        not null,
    tree       text        not null,
    build_id   bigint      not null references build on delete cascade,
    pushed_by  text        not null default '',
    at         timestamptz not null default now(),
    primary key (project_id, branch, tip)
);
create index trunk_build on trunk (build_id);
-- The question of every push: was this tree tested?
create index build_merge_tree on build (project_id, target_branch, merge_tree) where state = 'passed';

-- One digest on its way into one environment.
create table promotion (
    id           bigint generated always as identity primary key,
    kind         text        not null check (kind in ('promotion', 'rollback')),
    application  text        not null,
    project_path text        not null,
    build_id     bigint      not null references image,
    digest       text        not null, -- what is copied, whatever becomes of tags
    environment  text        not null,
    source       text,                 -- repository@digest that it was read from; null before the copy
    replaces     text,                 -- the digest that was there when it was asked for
    requested_by text        not null,
    reason       text        not null,
    state        text        not null check (state in ('waiting', 'copying', 'done', 'partial', 'failed', 'rejected',
                                                       'cancelled')),
    why          text,                 -- for people: what it waits for, what went wrong
    requested_at timestamptz not null default now(),
    started_at   timestamptz,
    finished_at  timestamptz
);
-- Two people who press at once get one promotion.
create unique index promotion_active on promotion (application, environment) where state in ('waiting', 'copying');
create index promotion_digest on promotion (digest);
create index promotion_application on promotion (application, environment, id);

-- Who said yes. It is bound to the digest by the promotion, which never changes it.
create table promotion_approval (
    promotion_id bigint      not null references promotion on delete cascade,
    person       text        not null, -- login name
    email        text,                 -- commits name their authors by it
    address      text        not null, -- of the network
    at           timestamptz not null default now(),
    primary key (promotion_id, person)
);

-- How far the copy to each data centre is.
create table promotion_copy (
    promotion_id bigint      not null references promotion on delete cascade,
    data_centre  text        not null,
    reference    text        not null, -- repository:tag there
    state        text        not null check (state in ('waiting', 'copying', 'there', 'failed')),
    total        bigint      not null default 0, -- bytes of blobs
    sent         bigint      not null default 0, -- of them, by this promotion
    skipped      bigint      not null default 0, -- of them, were there or were mounted
    error        text,
    at           timestamptz not null default now(),
    primary key (promotion_id, data_centre)
);

-- What is where, and was.
create table placement (
    id           bigint generated always as identity primary key,
    environment  text        not null,
    data_centre  text        not null,
    application  text        not null,
    digest       text        not null,
    build_id     bigint      not null references image,
    reference    text        not null, -- repository:tag
    promotion_id bigint      not null references promotion,
    since        timestamptz not null default now(),
    until        timestamptz
);
create unique index placement_now on placement (environment, data_centre, application) where until is null;
create index placement_digest on placement (digest, environment);
create index placement_application on placement (application, environment, id);

-- Who said no. Of one digest for ever: what is mended is another digest.
create table rejection (
    id          bigint generated always as identity primary key,
    digest      text        not null,
    application text        not null,
    environment text        not null, -- the furthest that it had reached
    person      text        not null,
    address     text        not null,
    category    text        not null,
    reason      text        not null,
    at          timestamptz not null default now()
);
create index rejection_digest on rejection (digest);

alter table job drop constraint job_lane_check;
alter table job add constraint job_lane_check check (lane in ('intake', 'build', 'notify', 'promote'));
