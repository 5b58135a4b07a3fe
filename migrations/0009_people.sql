-- Who may do what: persons as the OpenID provider tells of them, their sessions, and tokens that have a role, projects
-- and an end.

-- A person is known by issuer and subject; login, name and groups are what the last sign-in said. Tokens that he made
-- for himself are judged by them too.
create table person (
    id           bigint generated always as identity primary key,
    issuer       text        not null,
    subject      text        not null,
    login        text        not null,
    name         text        not null default '',
    groups       text[]      not null default '{}',
    signed_in_at timestamptz not null default now(),
    unique (issuer, subject)
);

-- Tokens had two kinds, "may write" and "may not". Who could write becomes a developer for all projects: that is rebuild,
-- cancel and approve; to have deliveries interpreted again needs the role platform from now on. Nothing stays valid for
-- ever: tokens that exist end in 90 days, counted from this migration. The defaults are for processes of the version
-- before, which may still make tokens; may_write stays for them.
alter table api_token
    add column role       text        not null default 'viewer'
        check (role in ('viewer', 'developer', 'release-manager', 'platform', 'admin')),
    add column projects   text[]      not null default '{**}',
    add column expires_at timestamptz not null default now() + interval '90 days',
    add column owner      bigint references person (id);
update api_token set role = 'developer' where may_write;
create index api_token_owner on api_token (owner) where owner is not null;

-- A browser that is signed in, as a person or with a token. Only the hash of the id in its cookie is kept. Rows go when
-- the session ends.
create table session (
    id         bigint generated always as identity primary key,
    sha256     bytea       not null unique,
    person     bigint references person (id),
    token      bigint references api_token (id),
    created_at timestamptz not null default now(),
    -- To a minute.
    seen_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    address    text        not null default '',
    agent      text        not null default '',
    check (num_nonnulls(person, token) = 1)
);
create index session_person on session (person) where person is not null;
create index session_expires on session (expires_at);
