package com.example.integration;

import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A channel is marked green on one side and red on the other. */
final class Channel {

    private Channel() {}

    /** The buoys from the sea inwards, red ones even. */
    static String buoys(int count) {
        return IntStream.rangeClosed(1, count)
                .mapToObj(number -> (number % 2 == 0 ? "R" : "G") + number)
                .collect(Collectors.joining(" "));
    }
}
