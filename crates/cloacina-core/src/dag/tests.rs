//! Tests of the DAG.
