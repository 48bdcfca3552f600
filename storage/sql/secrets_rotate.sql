-- A new current secret for a locked endpoint; the old ones end after the overlap, and no more than
-- two of them stay. $1 endpoint_id $2 version $3 scheme $4 key_id $5 nonce $6 sealed $7 overlap,
-- seconds $8 hint $9 public key.
WITH old AS (
  UPDATE endpoint_secrets
  SET expire_time = CASE WHEN version <= $2::int - 3 THEN now()
                         ELSE least(coalesce(expire_time, 'infinity'),
                                    now() + make_interval(secs => $7::float8)) END
  WHERE endpoint_id = $1::uuid AND (expire_time IS NULL OR expire_time > now())
), new AS (
  INSERT INTO endpoint_secrets (endpoint_id, version, scheme, key_id, nonce, sealed)
  VALUES ($1::uuid, $2::int, $3::int, $4, $5, $6)
), endpoint AS (
  UPDATE endpoints SET signature_scheme = $3::int, secret_hint = $8, public_key = $9,
                       revision = revision + 1, update_time = now()
  WHERE endpoint_id = $1::uuid RETURNING endpoint_id
)
INSERT INTO endpoint_changes (endpoint_id, kind) SELECT endpoint_id, 6 FROM endpoint
