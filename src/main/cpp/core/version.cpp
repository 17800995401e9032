#include "structkd/structkd.h"
const char* structkd_version(void) { return STRUCTKD_VERSION; }
const char* structkd_last_plan(void) { return ""; }
const char* structkd_last_error(void) { return ""; }
const char* structkd_status_name(structkd_status) { return ""; }
const char* structkd_backend_name(int32_t) { return nullptr; }
const char* structkd_backend_description(const char*) { return nullptr; }
