//! RTCP reports.
