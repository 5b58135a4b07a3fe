-- A build that makes an image again from what it says of itself: the commit of the target branch and the digest of the
-- base that were taken then, instead of those of now. Null: those of now.
alter table build add column pins jsonb;
