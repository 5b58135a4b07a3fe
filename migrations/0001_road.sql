-- The road of a merge request, from the hook to the mail.
--
-- Nouns keep their state in their own rows. The table `job` holds only what is still to be done: a finished job is
-- deleted, so it stays small and the claim stays fast however many builds there are.

-- Projects that GitLab has told us of and that a pipeline matches: the ones whose open merge requests are compared.
create table project (
    id           bigint primary key, -- GitLab's number
    path         text        not null,
    first_seen_at timestamptz not null default now(),
    polled_at    timestamptz
);

-- What GitLab sent, as it came. Never changed but for the decision, so that a mistake in interpreting it is mended by
-- interpreting it again. Secrets among the headers are taken out before it is stored.
create table delivery (
    id          uuid primary key,          -- version 7: sorts by arrival
    key         text unique,               -- Idempotency-Key or webhook-id: the same for a resend
    received_at timestamptz not null default now(),
    event       text,                      -- X-Gitlab-Event
    headers     jsonb       not null,
    body        bytea       not null,
    decision    text check (decision in ('build', 'ignored')), -- null: not yet interpreted
    reason      text,                      -- for people
    build_id    bigint,
    decided_at  timestamptz
);

-- One try to make an image. The number is what people say aloud.
create table build (
    id            bigint generated always as identity primary key,
    project_id    bigint      not null,
    project_path  text        not null,
    iid           bigint      not null,
    head          text        not null,
    target_branch text        not null,
    draft         boolean     not null,
    seen_tip      text        not null default '', -- the target's tip, where it was asked for before building (reopen)
    merge_request jsonb       not null,            -- as it was when the build was made
    pipeline      text        not null,
    trigger       text        not null check (trigger in ('webhook', 'poll', 'person')),
    requested_by  text,                            -- who asked for a rebuild
    approved_by   text,                            -- who let a fork's build run
    state         text        not null check (state in ('awaiting_approval', 'queued', 'running', 'passed', 'failed',
                                                        'errored', 'cancelled', 'superseded')),
    attempt       integer     not null default 0,
    target_tip    text,
    merge_tree    text,
    tests         jsonb,
    remarks       jsonb       not null default '[]', -- findings that did not end the build
    finding       jsonb,
    error         text,
    ended_by      text,                            -- who cancelled, or the build that superseded
    worker        text,
    log_lines     bigint      not null default 0,  -- the last sequence number of the log
    created_at    timestamptz not null default now(),
    started_at    timestamptz,
    finished_at   timestamptz
);
-- The intent: however often GitLab repeats itself, one build. A person's rebuild goes round it, and a superseded build
-- does not count, because the branch may have come back to that commit.
create unique index build_intent on build (project_id, iid, head, target_branch, draft, seen_tip)
    where trigger <> 'person' and state <> 'superseded';
create index build_merge_request on build (project_id, iid, id);
create index build_head on build (head);
create index build_project_path on build (project_path, id);
create index build_project_start on build (project_path, started_at);
create index build_state on build (state, id);

create table build_stage (
    build_id    bigint      not null references build on delete cascade,
    attempt     integer     not null,
    stage       text        not null,
    position    smallint    not null,
    state       text        not null check (state in ('running', 'passed', 'failed', 'errored', 'cancelled')),
    note        text, -- the outcome in a few words: "14 tests", "sha256:…"
    started_at  timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    primary key (build_id, attempt, stage)
);

-- Commits between the target's tip and the head, newest first.
create table build_commit (
    build_id        bigint   not null references build on delete cascade,
    position        smallint not null,
    sha             text     not null,
    subject         text     not null,
    author_name     text     not null,
    author_email    text     not null,
    committer_email text     not null,
    authored_at     bigint   not null, -- seconds since 1970
    primary key (build_id, position)
);
create index build_commit_sha on build_commit (sha);

-- A log is append-only, in compressed pieces, never a row a line. One sequence number counts its lines.
create table log_chunk (
    build_id  bigint not null references build on delete cascade,
    first_seq bigint not null,
    last_seq  bigint not null,
    bytes     bigint not null, -- of the text, before compression
    dropped   boolean not null default false, -- stands for lines that were dropped; `data` is empty
    data      bytea  not null,
    primary key (build_id, first_seq)
);

-- What came of a build that passed: the image with everything that tells where it is from.
create table image (
    build_id          bigint primary key references build on delete cascade,
    application       text        not null,
    stack             text        not null,
    reference         text        not null,
    digest            text        not null,
    image_id          text        not null,
    dockerfile        text        not null,
    dockerfile_sha256 text        not null,
    base_name         text        not null,
    base_digest       text        not null,
    war_path          text        not null,
    war_sha256        text        not null,
    war_bytes         bigint      not null,
    servlet           text        not null,
    servlet_evidence  text        not null,
    labels            jsonb       not null,
    worker            text        not null,
    pushed_at         timestamptz not null default now()
);
create index image_digest on image (digest);
create index image_reference on image (reference);

-- The outbox: mails are written together with the result and sent afterwards, however often the process dies.
create table mail (
    id         bigint generated always as identity primary key,
    build_id   bigint      not null references build on delete cascade,
    recipient  text        not null,
    message_id text        not null,
    created_at timestamptz not null default now(),
    sent_at    timestamptz,
    refused    text, -- the mail server's last word: it will not be tried again
    unique (build_id, recipient)
);

-- What GitLab was last told, so that it is told only what is new.
create table told_status (
    build_id bigint primary key references build on delete cascade,
    state    text not null,
    refused  text,
    told_at  timestamptz not null default now()
);
create table told_note (
    project_id bigint not null,
    iid        bigint not null,
    note_id    bigint,
    body_sha256 text,
    refused    text,
    told_at    timestamptz not null default now(),
    primary key (project_id, iid)
);

-- What is still to be done.
create sequence job_fence;
create table job (
    id           bigint generated always as identity primary key,
    lane         text        not null check (lane in ('intake', 'build', 'notify')),
    subject      text        not null, -- id of the noun that the lane works on
    fair_key     text        not null default '', -- lanes share their workers between the values of this
    run_at       timestamptz not null default now(),
    failures     integer     not null default 0, -- attempts that ended by the world's fault
    fence        bigint,                         -- of the running attempt; a write with an older one changes nothing
    worker       text,
    leased_until timestamptz,
    cancel       text,                           -- what is to become of a running build: cancelled or superseded
    cancel_by    text,
    again        boolean     not null default false, -- asked for once more while it ran
    last_error   text,
    created_at   timestamptz not null default now(),
    unique (lane, subject)
);
create index job_ready on job (lane, run_at) where fence is null;
create index job_leased on job (leased_until) where fence is not null;

-- Tokens for the API: only their hashes are kept.
create table api_token (
    id           bigint generated always as identity primary key,
    name         text        not null unique,
    sha256       bytea       not null unique,
    may_write    boolean     not null,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- This installation of the service: marks its things on an engine that it shares with others.
create table installation (
    id text not null default substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)
);
insert into installation default values;
