SELECT structure FROM {schema}.workflows WHERE name = $1 AND version = $2
