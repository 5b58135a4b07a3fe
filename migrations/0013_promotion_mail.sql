-- Mails about promotions go through the same outbox as those about builds.
alter table mail alter column build_id drop not null;
alter table mail add column promotion_id bigint references promotion on delete cascade;
alter table mail add column occasion text; -- the state that the mail is about, with the moment in which it ended
alter table mail add constraint mail_is_about_one check ((build_id is null) <> (promotion_id is null));
create unique index mail_promotion on mail (promotion_id, occasion, recipient) where promotion_id is not null;

-- Commits name their authors by mail address: who approves must not be one of them.
alter table person add column email text;
