/* Curl as the whole process has it: its start and end, and which one it is. */
#include <curl/curl.h>

#include "base/ensure.h"
#include "transfer_int.h"

void transfer_global_init(void)
{
    ensure(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void transfer_global_cleanup(void)
{
    curl_global_cleanup();
}

const char *transfer_curl_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
