-- Nobody buries it before this transaction has ended.
SELECT 1 AS registered FROM {schema}.workers WHERE id = $1 FOR KEY SHARE
