/* A hash map with open addressing and linear probing. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Each slot has a byte that says whether it is used, then the key, then the value at a multiple of 8. */
static size_t value_at(const retrans_map *map) { return (1 + map->key_size + 7) & ~(size_t)7; }

static size_t slot_size(const retrans_map *map) { return (value_at(map) + map->value_size + 7) & ~(size_t)7; }

static uint8_t *slot(const retrans_map *map, size_t index) { return map->slots + index * slot_size(map); }

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static size_t hash(const retrans_map *map, const uint8_t *key) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < map->key_size; i++) hash = (hash ^ key[i]) * 0x100000001b3u;
    return (size_t)(hash ^ (hash >> 32)) & (map->capacity - 1);
}

/* The slot of the key, or the free one where it belongs. */
static size_t find(const retrans_map *map, const void *key) {
    size_t index = hash(map, key);
    while (slot(map, index)[0] && memcmp(slot(map, index) + 1, key, map->key_size) != 0)
        index = (index + 1) & (map->capacity - 1);
    return index;
}

void *retrans_map_get(const retrans_map *map, const void *key) {
    if (map->count == 0) return NULL;
    uint8_t *found = slot(map, find(map, key));
    return found[0] ? found + value_at(map) : NULL;
}

static void grow(retrans_map *map) {
    retrans_map larger = *map;
    larger.capacity = map->capacity ? 2 * map->capacity : 16;
    larger.slots = retrans_zeroed(larger.capacity, slot_size(map));
    for (size_t i = 0; i < map->capacity; i++)
        if (slot(map, i)[0]) memcpy(slot(&larger, find(&larger, slot(map, i) + 1)), slot(map, i), slot_size(map));
    free(map->slots);
    *map = larger;
}

void *retrans_map_add(retrans_map *map, const void *key, bool *added) {
    if (4 * (map->count + 1) > 3 * map->capacity) grow(map);
    uint8_t *found = slot(map, find(map, key));
    if (added) *added = !found[0];
    if (!found[0]) {
        memset(found, 0, slot_size(map));
        found[0] = 1;
        memcpy(found + 1, key, map->key_size);
        map->count++;
    }
    return found + value_at(map);
}

bool retrans_map_remove(retrans_map *map, const void *key) {
    if (map->count == 0) return false;
    size_t free_index = find(map, key);
    if (!slot(map, free_index)[0]) return false;
    slot(map, free_index)[0] = 0;
    map->count--;
    /* Keys behind the free slot would not be found any more: those that belong before it move into it. */
    for (size_t i = (free_index + 1) & (map->capacity - 1); slot(map, i)[0]; i = (i + 1) & (map->capacity - 1)) {
        size_t wanted = hash(map, slot(map, i) + 1);
        size_t distance = (i - wanted) & (map->capacity - 1);
        if (distance >= ((i - free_index) & (map->capacity - 1))) {
            memcpy(slot(map, free_index), slot(map, i), slot_size(map));
            slot(map, i)[0] = 0;
            free_index = i;
        }
    }
    return true;
}

void retrans_map_clear(retrans_map *map) {
    free(map->slots);
    map->slots = NULL;
    map->count = map->capacity = 0;
}

/* qsort has no argument for the comparison; a plugin has one thread. */
static size_t compared;

static int compare(const void *left, const void *right) { return memcmp(left, right, compared); }

uint8_t *retrans_map_keys(const retrans_map *map) {
    if (map->count == 0) return NULL;
    uint8_t *keys = retrans_zeroed(map->count, map->key_size);
    size_t count = 0;
    for (size_t i = 0; i < map->capacity; i++)
        if (slot(map, i)[0]) memcpy(keys + count++ * map->key_size, slot(map, i) + 1, map->key_size);
    compared = map->key_size;
    qsort(keys, count, map->key_size, compare);
    return keys;
}
