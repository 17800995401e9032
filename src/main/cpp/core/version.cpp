#include "structkd/structkd.h"
const char* structkd_version(void) { return STRUCTKD_VERSION; }
const char* structkd_last_plan(void) { return ""; }
const char* structkd_last_error(void) { return ""; }
const char* structkd_status_name(structkd_status) { return "STRUCTKD_ERR_BACKEND"; }
const char* structkd_backend_name(int32_t i) { return i == 0 ? "reference" : nullptr; }
const char* structkd_backend_description(const char* name) { return name[0] == 'r' ? "stub" : nullptr; }
