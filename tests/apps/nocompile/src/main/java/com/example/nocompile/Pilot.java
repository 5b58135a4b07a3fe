package com.example.nocompile;

/** Brings ships in. */
public record Pilot(String name) {}
