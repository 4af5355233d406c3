//! What leaves the building: Entry to LogFile
