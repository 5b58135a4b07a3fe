-- Who decided what, when, from where and on what grounds. Each row carries the hash of the one before (see
-- `model/audit.rs`), so that a change shows; `seaworthy audit verify` looks.
create table audit (
    seq      bigint      primary key, -- without gaps: the writer counts under a lock
    at       timestamptz not null,
    actor    text        not null,
    address  text,
    action   text        not null,
    subject  text        not null,
    grounds  text        not null,    -- JSON; text, because the hash is of these very bytes
    previous text        not null,
    hash     text        not null
);
create index audit_subject on audit (subject);

-- Nobody changes or removes a row by mistake or by this service: neither the owner of the table nor the role that the
-- service works under, whichever it is.
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit trail is append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_is_append_only before update or delete or truncate on audit
    for each statement execute function audit_is_append_only();
alter table audit enable always trigger audit_is_append_only;
revoke update, delete, truncate on audit from public;
do $$
begin
    execute format('revoke update, delete, truncate on audit from %I', current_user);
end
$$;
