SELECT coalesce(n_dead_tup, 0) FROM pg_stat_user_tables WHERE relname = 'open_deliveries'
