-- What each image weighs, layer by layer, the lowest first: [{"digest", "bytes" (packed), "made_by"}].
-- Null: pushed before this was recorded.
alter table image add column layers jsonb;
