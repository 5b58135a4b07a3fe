package com.example.lighthouse.model;

/** One light of the coast; it is seen from {@code range} sea miles. */
public record Light(String name, Rhythm rhythm, int range) {

    public Light {
        if (range < 1) {
            throw new IllegalArgumentException("light " + name + ": range must be at least one mile, got " + range);
        }
    }
}
