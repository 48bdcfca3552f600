-- Whether there has ever been a key. Not in one statement with the lock: its snapshot would be older.
SELECT EXISTS (SELECT FROM api_keys)
