/* A library with the functions of NVML that the collector calls. A test answers them at a socket. */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define UNKNOWN 999 /* NVML_ERROR_UNKNOWN */

static int whole_read(int stream, void *to, size_t size) {
    char *at = to;
    while (size) {
        ssize_t got = read(stream, at, size);
        if (got <= 0) return 0;
        at += got;
        size -= (size_t)got;
    }
    return 1;
}

/* Ask for `what`, with a nonce or without one: a code, a size, and bytes into `to`. */
static unsigned ask(char what, const unsigned char *nonce, void *to, unsigned room, unsigned *size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
    unsigned char question[33] = {(unsigned char)what};
    uint32_t head[2];
    int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    unsigned code = UNKNOWN;
    if (nonce) memcpy(question + 1, nonce, 32);
    if (connect(stream, (struct sockaddr *)&address, sizeof address) == 0 &&
        write(stream, question, sizeof question) == sizeof question &&
        whole_read(stream, head, sizeof head) && head[1] <= room &&
        whole_read(stream, to, head[1])) {
        code = head[0];
        if (size) *size = head[1];
    }
    close(stream);
    return code;
}

typedef struct { unsigned environment, cc_feature, dev_tools; } State;
typedef struct {
    unsigned chain_size, attestation_size;
    unsigned char chain[0x1000], attestation[0x1400];
} Certificate;
typedef struct {
    unsigned cec_present, size, cec_size;
    unsigned char nonce[0x20], report[0x2000], cec[0x1000];
} Report;

unsigned nvmlInit_v2(void) { char none[4]; return ask('I', 0, none, sizeof none, 0); }
unsigned nvmlDeviceGetCount_v2(unsigned *count) { return ask('N', 0, count, 4, 0); }
unsigned nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    static int gpu;
    *device = &gpu;
    return index;
}
unsigned nvmlDeviceGetArchitecture(void *device, unsigned *value) {
    (void)device;
    return ask('A', 0, value, 4, 0);
}
unsigned nvmlSystemGetConfComputeState(State *state) { return ask('S', 0, state, sizeof *state, 0); }
unsigned nvmlSystemGetConfComputeGpusReadyState(unsigned *ready) { return ask('G', 0, ready, 4, 0); }
unsigned nvmlSystemGetDriverVersion(char *to, unsigned size) {
    memset(to, 0, size);
    return ask('D', 0, to, size - 1, 0);
}
unsigned nvmlDeviceGetVbiosVersion(void *device, char *to, unsigned size) {
    (void)device;
    memset(to, 0, size);
    return ask('V', 0, to, size - 1, 0);
}
unsigned nvmlDeviceGetUUID(void *device, char *to, unsigned size) {
    (void)device;
    memset(to, 0, size);
    return ask('U', 0, to, size - 1, 0);
}
unsigned nvmlDeviceGetConfComputeGpuCertificate(void *device, Certificate *to) {
    (void)device;
    return ask('C', 0, to->attestation, sizeof to->attestation, &to->attestation_size);
}
unsigned nvmlDeviceGetConfComputeGpuAttestationReport(void *device, Report *to) {
    (void)device;
    return ask('R', to->nonce, to->report, sizeof to->report, &to->size);
}
