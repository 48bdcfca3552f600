-- Since when a server has renewed itself without a gap of more than 4 s, by this clock: the proof that the
-- database was in reach from then to heartbeat_time. Null: a server of before says nothing about it.
ALTER TABLE nodes ADD COLUMN steady_since timestamptz;
