/* jansson's loops and libmicrohttpd's version, for cppcheck, which does not read the system's headers. */
#define MHD_VERSION 0x00097500
#define json_array_foreach(array, index, value) \
    for (index = 0; (value = json_array_get(array, index)) != 0; index++)
#define json_object_foreach(object, key, value) \
    for (key = json_object_iter_first(object); (value = json_object_iter_value(key)) != 0; key = json_object_iter_after(key))
