REVOKE {role} FROM {member}
