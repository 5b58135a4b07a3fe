-- An image whose Dockerfile was hand-written: which file, who allowed it, why, and until when. Null: it was generated, as are
-- all that were made before.
alter table image add column exception jsonb;
