ALTER ROLE {role} LOGIN CONNECTION LIMIT {connections} PASSWORD {verifier}
