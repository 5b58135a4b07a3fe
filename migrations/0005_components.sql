-- What is in the images, and what is known to be wrong with it.

-- Libraries, each version once: a house with 100,000 images has some ten thousand of them, so whatever is compared in
-- Maven's order is compared in the program, over few rows.
create table component (
    id       integer generated always as identity primary key,
    group_id text    not null, -- empty where the jar does not say it
    artifact text    not null,
    version  text    not null, -- empty where nothing says it
    package  text    not null, -- of its classes, where the group is not known
    unique (artifact, group_id, version, package)
);

-- In this order, because the question is which images hold a library.
create table image_component (
    component_id integer not null references component,
    build_id     bigint  not null references image on delete cascade,
    primary key (component_id, build_id)
);
create index image_component_build on image_component (build_id);

-- The bill of materials of an image as it is in the registry, compressed (zlib).
create table sbom (
    build_id bigint  primary key references image on delete cascade,
    sha256   text    not null, -- of the document
    bytes    integer not null, -- of the document
    document bytea   not null
);
-- It is compressed already.
alter table sbom alter column document set storage external;

-- Known vulnerabilities, as they were imported.
create table advisory (
    id          text        primary key,
    aliases     text[]      not null,
    summary     text        not null,
    level       text        check (level in ('low', 'medium', 'high', 'critical')),
    modified    timestamptz not null, -- by whoever wrote it: an older file does not replace a newer one
    withdrawn   boolean     not null,
    imported_at timestamptz not null default now()
);
create table advisory_package (
    advisory_id text     not null references advisory on delete cascade,
    position    smallint not null,
    artifact    text     not null, -- by this alone it is looked for: a jar may keep its group to itself
    affected    jsonb    not null, -- library, ranges and versions
    primary key (advisory_id, position)
);
create index advisory_package_artifact on advisory_package (artifact);

-- Which library has which vulnerability. Found when either of them comes in, so that nobody has to compare versions to
-- answer a question.
create table component_advisory (
    component_id integer not null references component on delete cascade,
    advisory_id  text    not null references advisory on delete cascade,
    fixed_in     text,
    primary key (component_id, advisory_id)
);
create index component_advisory_advisory on component_advisory (advisory_id);

create table advisory_import (
    id       bigint generated always as identity primary key,
    source   text        not null,
    read     integer     not null, -- advisories of Maven's libraries
    changed  integer     not null, -- new, or newer than before
    affected integer     not null, -- images that have a known vulnerability since then that they had not before
    at       timestamptz not null default now()
);
