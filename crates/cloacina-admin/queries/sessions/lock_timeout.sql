SET LOCAL lock_timeout = {lock_timeout}
