UPDATE nodes SET stop_time = now() WHERE node_no = $1::int
